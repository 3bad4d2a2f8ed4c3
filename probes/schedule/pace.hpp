// When to send and how long to wait: arithmetic on durations, pure.
#pragma once

#include <optional>

#include "probes/options.hpp"

namespace hopwise::probes {

/// Smoothed round-trip time and its mean deviation, as RFC 6298 section 2 (gains 1/8 and 1/4).
class RoundTrip {
 public:
  void observe(Duration rtt);

  /// How long a probe may stay unanswered: max(min_timeout, 2 x srtt, srtt + 4 x rttvar), at most
  /// max_timeout, which is also the answer while nothing is known.
  [[nodiscard]] Duration timeout(const Options& options) const;

  /// A step in delay: beyond srtt by more than 4 x rttvar, and by more than 5 ms.
  [[nodiscard]] bool is_excursion(Duration rtt) const;

  [[nodiscard]] std::optional<Duration> smoothed() const { return smoothed_; }

 private:
  std::optional<Duration> smoothed_;
  Duration deviation_{};
};

/// 75 to 100 % of `interval`, so that probes of many streams never fall into step. `unit` is random
/// in [0, 1).
Duration jittered(Duration interval, double unit);

}  // namespace hopwise::probes
