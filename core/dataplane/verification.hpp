// Whether the data plane does what routing says, checked by an independent reading of the tables:
// every IPv4 and IPv6 address, every group that routes lead to, its buckets and nexthops, and the
// programs on the interfaces. It changes nothing and asks no daemon.
//
// Routes: the runs of addresses that find the same group (installed.hpp), against the longest
// matches of the sorted prefixes (longest_match.hpp); both in order of address, so one pass does.
// Who has dumped the kernel tells what should be: Expectation. A single look may catch routing in
// the middle of a change; whoever calls looks again before it believes a difference.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/difference.hpp"
#include "core/dataplane/longest_match.hpp"
#include "core/model/address.hpp"
#include "core/model/path.hpp"

namespace hopwise::dataplane {

struct ExpectedNexthop {
  NexthopKey key;
  std::uint32_t weight = 1;

  auto operator<=>(const ExpectedNexthop&) const = default;
};
/// Each key once, in order. Empty: left to the kernel. One alone: the kernel's too, but for
/// candidates beside it.
using ExpectedSet = std::vector<ExpectedNexthop>;

/// What the kernel says of a gateway.
struct GatewayState {
  bool interface_known = false;
  std::string interface {};  // by name
  bool link_up = false;
  bool neighbour_resolved = false;
  bool on_link = false;        // directly connected
  std::optional<Link> link{};  // as it should be, where all of it is known

  [[nodiscard]] bool ready() const { return link_up && neighbour_resolved; }
};

/// A hook that an interface should have; `required` false: that it may have.
struct ExpectedProgram {
  Dataplane::Attachment where;
  bool required = true;
};

/// The interfaces of nexthops, by number: of those that routes lead to, and of others that the
/// tables still hold. `actuator`: as the hooks tell it.
struct Uplinks {
  std::set<std::uint32_t> used, unused;
  Actuator actuator = Actuator::redirect;
};

struct Expectation {
  std::vector<ExpectedSet> sets{{}};  // [0]: the kernel's
  std::vector<RouteTo<Address4>> routes4;
  std::vector<RouteTo<Address6>> routes6;  // both: `to` is an index of `sets`
  std::function<GatewayState(const NexthopKey&)> gateway;
  std::function<std::vector<ExpectedProgram>(const Uplinks&)> programs;

  void add(const Prefix& prefix, std::uint32_t set);
};

struct Verification {
  Differences differences;
  struct Counts {
    std::size_t routes4 = 0, routes6 = 0;      // that the kernel has
    std::size_t steered = 0;                   // of these: by at least two nexthops
    std::size_t segments4 = 0, segments6 = 0;  // ranges of addresses compared
    std::size_t sets = 0;
    std::size_t groups = 0;         // that routes lead to
    std::size_t class_groups = 0;   // that serve a class of these
    std::size_t destinations = 0;   // of these groups, those of one destination
    std::size_t unused_groups = 0;  // that nothing leads to: kept for routes that flap
    std::size_t nexthops = 0;
    std::size_t programs = 0;
    std::size_t candidate_paths = 0;  // beyond routing's own
    std::size_t no_ids = 0;     // routes that are not steered: no id of a group or path is left
    std::size_t no_room = 0;    // routes, in part: no block or node is left
    std::size_t too_large = 0;  // routes with more nexthops than a group may have
    std::size_t resolved_by_kernel = 0;  // nexthops without addresses of their own
    std::size_t held_by_bfd = 0;         // nexthops that are up, and not used for it
    std::size_t marks_lead_nowhere = 0;  // nexthops that are up, with the actuator `mark`
  } counts;
  std::optional<Duration> lease_left{};  // negative: over since; empty: ended, or never begun
};

/// One look at the pinned tables of this network namespace.
Result<Verification> verify(const std::string& pin_root, Expectation& expectation, TimePoint now);

}  // namespace hopwise::dataplane
