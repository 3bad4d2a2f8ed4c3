#include "core/engine/state.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {

// RFC 2439 section 4.2: a ceiling bounds the longest suppression, here to four half-lives.
void FlapPenalty::add(TimePoint now, const Options& options) {
  value_ = std::min(at(now, options) + options.flap_penalty, 16 * options.flap_reuse);
  when_ = now;
  suppressed_ = suppressed_ || value_ > options.flap_suppress;
}

void FlapPenalty::forgive(TimePoint now, const Options& options) {
  value_ = std::max(0.0, at(now, options) - options.flap_penalty);
  when_ = now;
  suppressed_ = suppressed_ && value_ > options.flap_suppress;
}

void FlapPenalty::recall(double value, Duration age, TimePoint now, const Options& options) {
  if (!std::isfinite(value) || value <= 0) return;
  const double left = std::min(value, 16 * options.flap_reuse) *
                      std::exp2(-std::max(seconds(age), 0.0) / seconds(options.flap_half_life));
  if (left <= at(now, options)) return;  // what this run saw is more
  value_ = left;
  when_ = now;
  suppressed_ = suppressed_ || value_ > options.flap_suppress;
}

double FlapPenalty::at(TimePoint now, const Options& options) const {
  if (value_ == 0 || now <= when_) return value_;
  return value_ * std::exp2(-seconds(now - when_) / seconds(options.flap_half_life));
}

bool FlapPenalty::suppressed(TimePoint now, const Options& options) {
  suppressed_ = suppressed_ && at(now, options) >= options.flap_reuse;
  return suppressed_;
}

void Health::fall(PathState to, TimePoint now, const Options& options) {
  // From degraded to down and back is one fault, not several.
  if (state_ == PathState::up || state_ == PathState::probation) {
    penalty_.add(now, options);
    fell_at_ = now;
  }
  state_ = to;
  failed_ = true;
}

std::optional<PathState> Health::advance(const Signs& s, TimePoint now, const Options& options) {
  const PathState before = state_;
  switch (state_) {
    case PathState::probation:
    case PathState::up:
      if (s.silent) {
        fall(PathState::down, now, options);
      } else if (s.worse) {
        fall(PathState::degraded, now, options);
      } else if (state_ == PathState::probation && s.answering && !s.ramping) {
        state_ = PathState::up;
        failed_ = false;
      }
      break;
    case PathState::degraded:
      if (s.silent)
        fall(PathState::down, now, options);
      else if (s.settled)
        state_ = PathState::probation;
      break;
    case PathState::down:
      // The losses of the outage itself say nothing of the path that is back.
      if (s.recalled || (s.answering && s.stepped))
        state_ = PathState::degraded;
      else if (s.answering)
        state_ = PathState::probation;
      break;
  }
  return state_ == before ? std::nullopt : std::optional(state_);
}

void Health::cut(TimePoint now, const Options& options) {
  fall(PathState::down, now, options);
}

void Health::restore() {
  if (failed_) state_ = PathState::probation;
}

}  // namespace hopwise::engine
