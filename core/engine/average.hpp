// Averages over real time: alpha = 1 - exp(-dt/tau), so that a change of pace changes nothing. The
// first few values count alike, so that one odd first one does not stand for all.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "core/model/time.hpp"

namespace hopwise::engine {

/// Of what paths and interfaces carry: fast enough to follow moved flows, slow enough that one
/// second of a burst is no load. What is compared must be averaged alike.
inline constexpr Duration kLoadTau = std::chrono::seconds(5);
/// A reading older than this says nothing of the present.
inline constexpr Duration kReadingsCease = std::chrono::seconds(10);
/// A stretch of time longer than this is no reading of the present, and bits a second beyond this
/// are of no line: such readings are refused.
inline constexpr Duration kLongestReading = std::chrono::seconds(60);
inline constexpr double kAbsurdBit_s = 1e14;

inline double alpha_of(Duration gap, Duration tau) {
  return 1 - std::exp(-seconds(gap) / seconds(tau));
}

/// One average with the time of its newest value.
class Average {
 public:
  /// `at` not later than the newest: ignored.
  void add(double value, TimePoint at, Duration tau) {
    if (at_ && at <= *at_) return;
    ++count_;
    const double first = 1.0 / static_cast<double>(count_);
    const double part = at_ ? std::max(alpha_of(at - *at_, tau), first) : 1.0;
    value_ += part * (value - value_);
    at_ = at;
  }
  /// Empty before the first value, and once the newest is older than kReadingsCease.
  [[nodiscard]] std::optional<double> at(TimePoint now) const {
    return at_ && now - *at_ <= kReadingsCease ? std::optional(value_) : std::nullopt;
  }
  [[nodiscard]] double value() const { return value_; }
  [[nodiscard]] const std::optional<TimePoint>& newest() const { return at_; }

 private:
  double value_ = 0;
  std::uint64_t count_ = 0;
  std::optional<TimePoint> at_;
};

}  // namespace hopwise::engine
