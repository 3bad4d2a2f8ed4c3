// What a group remembers of its own moves, so that it does not take for a fault what it caused.
//
// Nothing here knows a capacity. Four facts are kept: the share at which a path went bad (Cap),
// the moment at which our own raise was taken back from it (Relief), what of it gave way to a queue
// (Yield), and how often moving load only moved the trouble (OverloadHold).
#pragma once

#include <algorithm>
#include <optional>

#include "core/model/time.hpp"

namespace hopwise::engine {

/// The largest share that a path is known to bear: cut when it went bad under load that we gave it,
/// raised by half a percent a minute, in whole minutes so that each is one decision.
class Cap {
 public:
  /// The path went bad at `share`; `least` is what it may have in any case.
  void cut(double share, double least, TimePoint now);
  /// The shares of the group are counted anew.
  void scale(double factor) { share_ *= factor; }
  [[nodiscard]] double at(TimePoint now) const;

 private:
  std::optional<TimePoint> since_;  // empty: nothing is known
  double share_ = 1;
};

/// Our own raise was taken back from a path that had gone bad. What remains after the queue had
/// the time to drain is not our doing.
struct Relief {
  TimePoint at;
  double queue_ms = 0;  // above the base, at its worst: flows on their way still add to it

  void note(double queue) { queue_ms = std::max(queue_ms, queue); }
  /// Probes from here on can tell.
  [[nodiscard]] TimePoint drained() const;
  /// `queue_ms` of such probes is that of a fault which does not care about our load: after a
  /// second as it was at its worst, or after two still there.
  [[nodiscard]] bool vain(std::optional<double> queue, TimePoint now) const;
};

/// Parts of what a path carries give way to a queue.
struct Yield {
  TimePoint at;         // of the last verdict
  double queue_ms = 0;  // then
  double least_ms = 0;  // of the queue since
  double most_ms = 0;
  int parts = 0;  // gone so far

  Yield(TimePoint now, double queue) { judge(queue, now); }
  void judge(double queue, TimePoint now) {
    at = now;
    queue_ms = least_ms = most_ms = queue;
  }
  void note(double queue) {
    least_ms = std::min(least_ms, queue);
    most_ms = std::max(most_ms, queue);
  }
  /// Neither fed nor drained for 1.5 s: that is no queue under load that has just changed.
  [[nodiscard]] bool stands(TimePoint now) const;
};

/// After a bounce: how long to keep still. 60 s, twice as long after each further one, at most an
/// hour; forgotten after ten clean minutes, or as long as the last hold if that was longer.
class OverloadHold {
 public:
  void begin(TimePoint now);
  [[nodiscard]] bool holds(TimePoint now) const { return until_ && now < *until_; }
  [[nodiscard]] Duration length() const { return length_; }
  [[nodiscard]] int bounces() const { return bounces_; }

 private:
  std::optional<TimePoint> until_;
  Duration length_{};
  int bounces_ = 0;
};

}  // namespace hopwise::engine
