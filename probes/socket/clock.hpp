// Reads the kernel's receive stamps, which are CLOCK_REALTIME, on our own clock, CLOCK_MONOTONIC.
//
// The two clocks' difference is noted at every sight(). A stamp between two sightings may be
// translated only if the difference held still in between: a step of the wall clock would else
// shorten or lengthen a round trip, and look like a change of the path. Pure but for now().
#pragma once

#include <optional>

#include "core/model/time.hpp"

namespace hopwise::probes {

struct ClockPair {
  TimePoint monotonic;
  WallTime wall;

  /// Both clocks, read within a few microseconds of each other.
  static ClockPair now();
};

class ClockBridge {
 public:
  explicit ClockBridge(const ClockPair& now) : last_(now) {}

  /// Notes the clocks; false when they moved apart since the last sight.
  bool sight(const ClockPair& now);
  [[nodiscard]] TimePoint last() const { return last_.monotonic; }
  /// `stamp` on our clock, as of the last sight. Nothing when it lies in that sight's future.
  [[nodiscard]] std::optional<TimePoint> monotonic(WallTime stamp) const;

 private:
  ClockPair last_;
};

}  // namespace hopwise::probes
