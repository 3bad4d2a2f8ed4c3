#include "core/daemon/host.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

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
  sd_notify(0, "STOPPING=1");
}
void notify_watchdog() {
  sd_notify(0, "WATCHDOG=1");
}

}  // namespace hopwise
