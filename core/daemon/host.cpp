#include "core/daemon/host.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>

#include "core/dataplane/handle.hpp"
#include "core/dataplane/pins.hpp"

namespace hopwise {
namespace {

constexpr const char* kFolder = "/run/hopwise";

// What cannot be read does not forbid.
bool is_on(const std::string& key, int when_unknown) {
  int value = when_unknown;
  std::ifstream("/proc/sys/net/" + key) >> value;
  return value != 0;
}

// sd_notify(3) waits where the supervisor does not read; this never does. What finds no room is
// lost: it is said again in a second, or matters no more.
void notify_at_once(std::string_view words) {
  const char* named = std::getenv("NOTIFY_SOCKET");
  const std::string_view path = named == nullptr ? "" : named;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return;
  std::copy(path.begin(), path.end(), address.sun_path);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract name
  const dataplane::Handle socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  const std::size_t length = offsetof(sockaddr_un, sun_path) + path.size();
  static_cast<void>(sendto(socket.fd(), words.data(), words.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                           reinterpret_cast<const sockaddr*>(&address),
                           static_cast<socklen_t>(length)));
}

}  // namespace

Result<NamespaceClaim> NamespaceClaim::take() {
  const auto cookie = dataplane::namespace_cookie();
  if (!cookie) return cookie.error();
  const std::string path = std::string(kFolder) + "/netns-" + std::to_string(*cookie) + ".lock";
  std::error_code ignored;  // open() below tells
  std::filesystem::create_directories(kFolder, ignored);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("claim the network namespace by " + path, errno);
  NamespaceClaim claim(fd);
  // One that was just killed may still be dying.
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error("lock " + path, errno);
    if (std::chrono::steady_clock::now() >= patience)
      return Error{
          "claim the network namespace: another hopwise runs in it (see `hopwise status`; stop it "
          "first)"};
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return claim;
}

NamespaceClaim::~NamespaceClaim() {
  if (fd_ >= 0) close(fd_);
}

bool kernel_forwards(Family family) {
  return is_on(family == Family::v4 ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding", 0);
}

bool forwards_from(const std::string& interface) {
  return (!kernel_forwards(Family::v4) || is_on("ipv4/conf/" + interface + "/forwarding", 1)) &&
         (!kernel_forwards(Family::v6) || is_on("ipv6/conf/" + interface + "/forwarding", 1));
}

void notify_ready(const std::string& status) {
  sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}
void notify_reloading() {
  sd_notify(0, "RELOADING=1");
}
void notify_stopping() {
  notify_at_once("STOPPING=1");
}
void notify_watchdog() {
  notify_at_once("WATCHDOG=1");
}

}  // namespace hopwise
