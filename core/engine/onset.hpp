// How did a delay rise: at once, or as a queue does?
//
// A queue of our own making grows by what arrives beyond the capacity: d queue/dt = load/capacity -
// 1, in seconds a second. The slow law adds at most a few hundredths of the demand in a second, so
// however full a path already is, a raise lifts its delay by some 0.1 s a second at the most, and
// by less while flows follow. A delay that stands at its full height between two probes and stays
// there rose faster, and is no queue that a raise made. Load that came by itself (a demand that
// jumps) can fill a queue that fast; but then the queue goes on growing, or it is full and drops:
// at a rise of x s a second 1 - 1/(1 + x) of what comes. So the delay must stand still, no probe
// may be missing, and so many must have come through one after another that a full queue would
// hardly have let them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/model/time.hpp"

namespace hopwise::engine {

enum class Onset : std::uint8_t {
  gradual,  // as a queue of ours could, for all that is known
  unsure,   // too fast for one so far; a few more probes will tell
  at_once,  // no queue of ours
};

/// What one anchor saw of it.
struct Climb {
  double rate = 0;             // at least, in seconds a second
  std::uint32_t answered = 0;  // since, one after another
  bool steady = false;         // the most of it came then, has not changed since, and drops nothing
  bool missing = false;        // probes have counted as lost since, and may yet be answered
};

/// Follows the replies to one anchor across the moment at which they became slow.
class OnsetTest {
 public:
  /// A reply to a probe that left at `sent`: `slow` where it is above the limit of a step.
  void observe(double rtt_ms, bool slow, TimePoint sent);
  /// `waited`: until it was given up.
  void lost(TimePoint sent, Duration waited);
  /// One that had counted as lost was answered: call before observe().
  void take_back(TimePoint sent);

  /// Of the present row of slow replies; `noise_ms` is what the delay wavers by anyway. Empty
  /// without such a row, or when nothing was heard before it.
  [[nodiscard]] std::optional<Climb> climb(double base_ms, double noise_ms) const;

 private:
  std::array<double, 3> good_ms_{};  // the last ones
  std::size_t good_ = 0;             // ever
  TimePoint good_sent_;
  TimePoint slow_sent_;     // the first of the row
  std::uint32_t slow_ = 0;  // in the row
  double first_ms_ = 0;
  double least_ms_ = 0;
  std::array<double, 2> last_ms_{};
  std::uint32_t missing_ = 0;  // of those that left after the last good one
  Duration waited_{};          // for one of them, at the longest
};

/// The nexthop's: what all anchors that have become slow say together. `could` is the fastest that
/// load of ours may have made it rise, in seconds a second.
Onset weigh(std::span<const Climb> climbs, double could);

}  // namespace hopwise::engine
