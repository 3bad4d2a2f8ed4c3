// A nexthop's standing: probation -> up -> degraded -> down -> probation, and its flap penalty.
//
// What the estimators see enters as Signs; the machine knows no samples and no groups. Falling
// takes one sign, rising a row of good replies and, after a fault, a slow ramp (which the groups
// do). Each fall out of good standing adds a penalty that decays by half each half-life, as
// RFC 2439 damps routes: over the suppress figure the nexthop's share stays at the floor until the
// penalty is below the reuse figure.
#pragma once

#include "core/engine/engine.hpp"

namespace hopwise::engine {

class FlapPenalty {
 public:
  void add(TimePoint now, const Options& options);
  /// Takes back what one fall added.
  void forgive(TimePoint now, const Options& options);
  /// As it was `age` ago, in an earlier run.
  void recall(double value, Duration age, TimePoint now, const Options& options);
  [[nodiscard]] double at(TimePoint now, const Options& options) const;
  /// With RFC 2439's hysteresis between suppress and reuse.
  bool suppressed(TimePoint now, const Options& options);

 private:
  double value_ = 0;
  TimePoint when_;
  bool suppressed_ = false;
};

struct Signs {
  bool silent = false;     // nothing comes back on any anchor
  bool worse = false;      // every live anchor stepped up in delay, or loses too much
  bool stepped = false;    // every live anchor stepped up in delay
  bool recalled = false;   // probes counted as silent were answered late: slow, not dead
  bool answering = false;  // up_after replies in time, in a row
  bool settled = false;    // and near the base again, and loss back under its limit
  bool ramping = false;    // some group still holds its share below what it should have
};

class Health {
 public:
  /// What the signs change, if anything: the new state.
  std::optional<PathState> advance(const Signs& signs, TimePoint now, const Options& options);

  /// Link or neighbour are gone: down at once, whatever the probes say.
  void cut(TimePoint now, const Options& options);
  /// They are back: probation.
  void restore();
  /// The last fall was of our own making: it adds no penalty.
  void forgive(TimePoint now, const Options& options) { penalty_.forgive(now, options); }

  /// A penalty of an earlier run, which decays on.
  void recall(double penalty, Duration age, TimePoint now, const Options& options) {
    penalty_.recall(penalty, age, now, options);
  }

  [[nodiscard]] PathState state() const { return state_; }
  /// In probation after a fault, rather than new.
  [[nodiscard]] bool recovering() const { return failed_ && state_ == PathState::probation; }
  [[nodiscard]] TimePoint fell_at() const { return fell_at_; }  // into degraded or down
  [[nodiscard]] bool suppressed(TimePoint now, const Options& options) {
    return penalty_.suppressed(now, options);
  }
  [[nodiscard]] double penalty(TimePoint now, const Options& options) const {
    return penalty_.at(now, options);
  }

 private:
  void fall(PathState to, TimePoint now, const Options& options);

  PathState state_ = PathState::probation;
  bool failed_ = false;
  TimePoint fell_at_;
  FlapPenalty penalty_;
};

}  // namespace hopwise::engine
