#include "core/daemon/host.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <string_view>

namespace hopwise {

Result<NamespaceClaim> NamespaceClaim::take() {
  constexpr std::string_view name = "hopwise";  // abstract: sun_path begins with a zero byte
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());

  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_error("claim the network namespace", errno);
  NamespaceClaim claim(fd);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), length) < 0) {
    if (errno == EADDRINUSE)
      return Error{
          "claim the network namespace: another hopwise runs in it (see `hopwise status`; stop it "
          "first)"};
    return system_error("claim the network namespace", errno);
  }
  return claim;
}

NamespaceClaim::~NamespaceClaim() {
  if (fd_ >= 0) close(fd_);
}

bool kernel_forwards(Family family) {
  std::ifstream file(family == Family::v4 ? "/proc/sys/net/ipv4/ip_forward"
                                          : "/proc/sys/net/ipv6/conf/all/forwarding");
  int value = 0;
  file >> value;
  return value != 0;
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
