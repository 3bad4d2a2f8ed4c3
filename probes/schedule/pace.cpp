#include "probes/schedule/pace.hpp"

#include <algorithm>

namespace hopwise::probes {
namespace {
constexpr Duration kLeastExcursion = std::chrono::milliseconds(5);
}

void RoundTrip::observe(Duration rtt) {
  if (!smoothed_) {
    smoothed_ = rtt;
    deviation_ = rtt / 2;
    return;
  }
  const Duration error = rtt - *smoothed_;
  deviation_ += (std::chrono::abs(error) - deviation_) / 4;
  *smoothed_ += error / 8;
}

Duration RoundTrip::timeout(const Options& options) const {
  if (!smoothed_) return options.max_timeout;
  const Duration wait =
      std::max({options.min_timeout, 2 * *smoothed_, *smoothed_ + 4 * deviation_});
  return std::min(wait, options.max_timeout);
}

bool RoundTrip::is_excursion(Duration rtt) const {
  return smoothed_ && rtt > *smoothed_ + std::max(4 * deviation_, kLeastExcursion);
}

Duration jittered(Duration interval, double unit) {
  return std::chrono::duration_cast<Duration>(interval * (0.75 + 0.25 * unit));
}

}  // namespace hopwise::probes
