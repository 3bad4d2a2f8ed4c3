// A router with one interface to a LAN of two gateways, and one to a third, in unnamed network
// namespaces that vanish with this process:
//
//   router --- wan (veth) --- [bridge, in its own namespace] --- a: gateway 10.9.0.1, fd09::1
//     \                                           \------------- b: gateway 10.9.0.2, fd09::2
//      \------ side (veth) ------------------------------------- c: gateway 10.8.0.3, fd08::3
//
// Every gateway has the anchors, 203.0.113.1 and 2001:db8::1, itself: which one was asked is read
// from its own count of echo requests.
#pragma once

#include <string>

#include "core/model/path.hpp"

namespace hopwise::probes {

inline IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

/// A network namespace that lives as long as this.
class NetNamespace {
 public:
  NetNamespace();
  NetNamespace(const NetNamespace&) = delete;
  NetNamespace& operator=(const NetNamespace&) = delete;
  ~NetNamespace();

  /// Moves the calling thread into the namespace until it ends.
  class Visit {
   public:
    explicit Visit(const NetNamespace& where);
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit();

   private:
    int outer_;
  };

  /// Runs shell commands inside; the test fails when one of them does.
  void sh(const std::string& commands) const;
  /// What a shell command inside writes.
  [[nodiscard]] std::string output(const std::string& command) const;
  /// What `ip link set DEV netns` takes.
  [[nodiscard]] std::string path() const;
  /// Echo requests of `family` that arrived inside.
  [[nodiscard]] std::uint64_t echo_requests(Family family) const;

 private:
  int fd_ = -1;
};

struct Lan {
  NetNamespace bridge, a, b, c, router;

  Lan();
  [[nodiscard]] Nexthop nexthop(std::uint32_t id, const char* gateway,
                                const char* interface = "wan") const;
};

}  // namespace hopwise::probes
