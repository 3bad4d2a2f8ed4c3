// A decision: a group's weights before and after, and the reason. Nothing moves without one.
#pragma once

#include <cstdint>
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
  objective,            // a path breaks the group's objectives, and another meets them
  objective_unmet,      // no path meets them: the nearest, or routing's own weights
  route_changed,        // the base delay stepped, which no load explains
  reverted,             // steering was surely worse than routing: routing's own weights
  resumed,              // after that, steering is tried again
  candidate,            // a path that BGP told of is taken in, or let go again
  bfd_down,             // the routing daemon's BFD session to the gateway failed
};

std::string_view text(PathState state);
std::string_view text(Reason reason);

/// What a path costs under the group's policy, term by term: lower is better.
struct CostTerms {
  double delay = 0;
  double queue = 0;
  double loss = 0;
  double jitter = 0;
  double price = 0;
  double load = 0;        // of the predicted load, phi(rho)
  double preference = 0;  // <= 0: how much it is preferred

  [[nodiscard]] double total() const {
    return delay + queue + loss + jitter + price + load + preference;
  }
};

/// What a decision expects of a path once flows have followed it. Empty: not known.
struct Prediction {
  std::optional<double> rtt_ms{};
  std::optional<double> bit_s{};        // on the nexthop, of all who use it
  std::optional<double> utilisation{};  // of its capacity, 0..
};

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
  CostTerms terms{};
  Prediction predicted{};
  bool candidate = false;  // BGP told of it, and the kernel's route does not use it
};

struct Decision {
  GroupId group{};
  TimePoint at;
  Reason reason = Reason::initial;
  std::optional<NexthopId> cause;  // the nexthop whose change made it, where there is one
  std::string evidence;          // the figures it rests on, key=value: "rtt_ms=120.4 base_ms=20.1"
  std::vector<PathShare> paths;  // every path of the group, in the group's order
  std::uint64_t id = 0;          // of the engine, from 1, in order
};

/// What became of a decision, told once flows have had the time to follow it, or when the next one
/// comes before.
struct Effect {
  struct OfPath {
    PathId path{};
    NexthopId nexthop{};
    Prediction predicted{};
    Prediction realised{};
    double loss = 0;  // of probes, since
  };
  std::uint64_t decision = 0;
  GroupId group{};
  TimePoint at;
  std::optional<double> before_ms{};  // mean round-trip time by weight: when it was decided ...
  std::optional<double> after_ms{};   // ... and now
  std::vector<OfPath> paths{};
};

}  // namespace hopwise
