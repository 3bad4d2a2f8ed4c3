// What the programs of a running daemon would find: its tables by their pins, as memory. The daemon
// is not asked and does not notice.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/dataplane/handle.hpp"
#include "core/dataplane/routes.hpp"
#include "core/dataplane/tables.hpp"
#include "core/model/path.hpp"
#include "test/bench/kernel_routes.hpp"

namespace hopwise::bench {

class FollowTables {
 public:
  /// Opens what is pinned in `folder` (PIN_ROOT/netns-COOKIE/vABI). Throws when it is not.
  explicit FollowTables(const std::string& folder);

  /// Sorted by nexthop, with routing's weight. Empty: left to the kernel, or no route at all.
  using Set = std::vector<std::pair<NexthopKey, std::uint32_t>>;
  static Set set_of(const Ways& ways);

  /// The group that a packet to `destination` would find: HW_ROUTE_NONE, HW_ROUTE_KERNEL, or an id.
  [[nodiscard]] std::uint16_t group_of(const IpAddress& destination) const {
    return routes_.group_of(destination);
  }
  /// What that group leads to.
  [[nodiscard]] Set set_of(std::uint16_t group) const;
  /// The nexthop's number, where it has one.
  [[nodiscard]] std::optional<std::uint32_t> nexthop(const NexthopKey& key) const;
  /// Whether packets may be sent there now.
  [[nodiscard]] bool usable(std::uint32_t nexthop) const {
    return (dataplane::read_word(nexthops_[nexthop].flags) & HW_NEXTHOP_USABLE) != 0;
  }
  /// Until when the weights are trusted, CLOCK_MONOTONIC; 0: they are not.
  [[nodiscard]] std::uint64_t lease_ns() const { return tables_.router().expires_ns; }

 private:
  dataplane::MapFds open(const std::string& folder);

  std::vector<dataplane::Handle> handles_;
  mutable dataplane::Tables tables_;
  dataplane::MappedArray<hw_nexthop> nexthops_;
  dataplane::RouteMaps maps_;
  dataplane::RouteTable routes_;  // read only
};

/// Addresses, each with what a packet to it should find; whether it does is looked up again and
/// again.
class Expected {
 public:
  /// From routes, whichever way they lie in each other: the first and the last address of each.
  /// `ways[i]` of `prefixes[i]`; null: there is no such route.
  Expected(const std::vector<Prefix>& prefixes, const std::vector<const Ways*>& ways);

  /// How many addresses find something else.
  [[nodiscard]] std::size_t wrong(const FollowTables& tables) const;
  /// Looks until none does. False: at `end` some still do.
  [[nodiscard]] bool settle(const FollowTables& tables,
                            std::chrono::steady_clock::time_point end) const;

 private:
  struct Place {
    IpAddress address;
    std::uint32_t set;  // of sets_
  };
  /// What each group is: index of sets_, kNone for what is no set of these.
  [[nodiscard]] std::vector<std::uint32_t> groups(const FollowTables& tables) const;

  std::vector<FollowTables::Set> sets_;
  std::vector<Place> places_;
};

}  // namespace hopwise::bench
