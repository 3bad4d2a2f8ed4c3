// A decision: a group's weights before and after, and the reason. Nothing moves without one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise {

enum class PathState : std::uint8_t {
  probation,  // new or recovering: carries a growing share
  up,
  degraded,  // alive, but clearly worse than its own base or over its loss limit
  down,      // nothing comes back
};

/// Why weights changed. One enum for log line, metric label, API and test.
enum class Reason : std::uint8_t {
  initial,              // a new group starts from routing's own weights
  cost,                 // the slow law: cheaper paths gain, dearer ones lose
  path_degraded,        // delay stepped up, or loss beyond the limit, with a better path at hand
  path_down,            // probes unanswered: black hole
  link_down,            // the kernel says the interface has no carrier
  neighbour_lost,       // the kernel has no link-layer address for the gateway
  path_recovered,       // a path returns from down or degraded into probation
  ramp,                 // a path in probation gains share step by step
  all_worse_hold,       // every path worsened together: nothing moves
  no_alternative_hold,  // the last usable path stays, however bad
  overload_hold,        // moving load made paths bad: routing's own weights, for a while
};

std::string_view text(PathState state);
std::string_view text(Reason reason);

/// A path's part in a decision. Weights are shares of the movable traffic, 0..1, and sum to 1 over
/// the group. Flows may stay on a path, and new ones may come, only while it is `usable`.
struct PathShare {
  PathId path{};
  NexthopId nexthop{};
  double before = 0;
  double after = 0;
  bool usable = true;
  PathState state = PathState::probation;
  double cost = 0;
};

struct Decision {
  GroupId group{};
  TimePoint at;
  Reason reason = Reason::initial;
  std::optional<NexthopId> cause;  // the nexthop whose change made it, where there is one
  std::string evidence;          // the figures it rests on, key=value: "rtt_ms=120.4 base_ms=20.1"
  std::vector<PathShare> paths;  // every path of the group, in the group's order
};

}  // namespace hopwise
