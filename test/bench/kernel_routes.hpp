// The same routes in the kernel's own FIB, and changes of them, as fast as the kernel takes them.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/model/address.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::bench {

/// One nexthop of a multipath route.
struct Leg {
  std::uint32_t ifindex = 0;
  IpAddress gateway;
  std::uint32_t weight = 1;  // 1 to 256
};

/// What a route leads to: a nexthop object (RTA_NH_ID) where `object` is not 0, else `legs`
/// (RTA_MULTIPATH).
struct Ways {
  std::uint32_t object = 0;
  std::vector<Leg> legs;
};

/// Writes routes of the main table, as FRR would: protocol bgp, metric 20. Many messages a system
/// call; the kernel has carried them out when it returns.
class RouteWriter {
 public:
  /// Makes its socket in `where`. This and all others throw what the kernel refuses.
  explicit RouteWriter(const lab::Namespace& where);

  /// Queues a route, new or instead of the one that is there.
  void set(const Prefix& prefix, const Ways& ways);
  void remove(const Prefix& prefix);
  /// Sends what is queued, and waits for the kernel's acknowledgement of the last one.
  void flush();
  /// Messages that were written so far.
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  nlmsghdr* begin(const Prefix& prefix, std::uint16_t type, unsigned flags);
  void end(nlmsghdr* message);

  std::unique_ptr<mnl_socket, int (*)(mnl_socket*)> socket_;
  std::vector<char> queue_;
  std::size_t used_ = 0;
  nlmsghdr* last_ = nullptr;
  std::uint64_t written_ = 0;
};

/// Adds `routes` to the main table of `where`, route i by nexthop object first + i % kGroups.
void add_kernel_routes(const lab::Namespace& where, std::span<const Prefix> routes,
                       std::uint32_t first);

/// Makes these nexthop objects: kGroups groups of the two nexthops, each given as ip(8) takes it
/// ("via 192.0.2.2 dev wan0"). Ids first .. first + kGroups - 1, and two above for the nexthops.
void add_kernel_nexthops(const lab::Namespace& where, std::uint32_t first, const std::string& one,
                         const std::string& two);

}  // namespace hopwise::bench
