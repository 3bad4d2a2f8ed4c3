// What the samples say about a nexthop now.
#pragma once

#include <cstdint>
#include <optional>

#include "core/model/time.hpp"

namespace hopwise {

/// Nothing is known (`rtt` empty) until the first reply.
struct Estimate {
  std::optional<Duration> rtt;      // smoothed round-trip time (EWMA)
  std::optional<Duration> base;     // lowest recent RTT: propagation without queues
  Duration jitter{};                // smoothed mean deviation of the RTT
  double loss = 0;                  // ratio of lost probes in the window, 0..1
  double loss_upper = 1;            // Wilson score 95 % upper bound of it: 1 while nothing is known
  std::uint32_t window = 0;         // probes in the loss window
  std::optional<TimePoint> newest;  // when the newest sample was known
};

}  // namespace hopwise
