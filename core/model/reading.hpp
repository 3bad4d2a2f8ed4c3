// What a path, a group's control flows or a nexthop's interface carried over a stretch of time: the
// passive side of the measurements. Like samples they enter the engine by engine.observe().
#pragma once

#include <optional>

#include "core/model/passive.hpp"
#include "core/model/path.hpp"
#include "core/model/time.hpp"
#include "core/model/traffic.hpp"

namespace hopwise {

/// Of one path's own traffic, between `at - over` and `at`. Told about once a second, also when
/// there was none.
struct PathReading {
  PathId path{};
  TimePoint at;
  Duration over{};
  PathTraffic traffic{};            // in that time
  std::optional<PassiveRtt> rtt{};  // empty: nothing was timed
};

/// Of the flows that are left to routing for comparison.
struct ControlReading {
  GroupId group{};
  TimePoint at;
  Duration over{};
  PathTraffic traffic{};
  std::optional<PassiveRtt> rtt{};
};

/// Of the interface towards a nexthop: the traffic of all who use it. Of an interface that several
/// nexthops share none is told: what of it is whose nobody counts, and their paths' own traffic is
/// known.
struct LoadReading {
  NexthopId nexthop{};
  TimePoint at;
  Duration over{};
  double forward_bit_s = 0;
};

}  // namespace hopwise
