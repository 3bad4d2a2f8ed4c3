// What the daemon asks of its host besides packets: that it is alone, whether the kernel forwards,
// and how systemd is told.
#pragma once

#include <string>

#include "core/model/address.hpp"
#include "core/model/result.hpp"

namespace hopwise {

/// Holds this network namespace for one process: a lock on /run/hopwise/netns-COOKIE.lock, which
/// the kernel releases however the process ends. Waits two seconds for one that is just dying.
class NamespaceClaim {
 public:
  static Result<NamespaceClaim> take();
  NamespaceClaim(NamespaceClaim&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  NamespaceClaim& operator=(NamespaceClaim&&) = delete;
  ~NamespaceClaim();

 private:
  explicit NamespaceClaim(int fd) : fd_(fd) {}
  int fd_;
};

/// Whether the kernel forwards this family at all (net.ipv4.ip_forward,
/// net.ipv6.conf.all.forwarding). Where it does not, nothing may be steered past that choice.
bool kernel_forwards(Family family);
/// Whether it forwards what this interface receives, of every family that it forwards at all: an
/// operator may have switched off a guest network alone.
bool forwards_from(const std::string& interface);

/// Messages to systemd (sd_notify(3)); nothing happens when it did not start us.
void notify_ready(const std::string& status);
void notify_reloading();
void notify_stopping();
void notify_watchdog();

}  // namespace hopwise
