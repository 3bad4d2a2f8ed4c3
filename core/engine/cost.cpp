#include "core/engine/cost.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr double kQuietQueueMs = 5;  // below, a queue is jitter
constexpr double kQuietLoss = 0.01;  // below, loss is weather

double saturated(double x) {
  return std::clamp(x, 0.0, 1.0);
}

double delay_range_ms(const Options& o) {
  return std::max(milliseconds(o.policy.delay_limit - o.policy.delay_floor), 1.0);
}

double delay_cost(const Reading& r, const Options& o) {
  const double queue = std::max(0.0, r.rtt_ms - r.base_ms);
  return o.policy.delay_weight * saturated((r.base_ms - milliseconds(o.policy.delay_floor)) / delay_range_ms(o)) +
         o.policy.queue_weight * saturated((queue - kQuietQueueMs) / milliseconds(o.policy.queue_limit)) +
         o.policy.jitter_weight * saturated(r.jitter_ms / milliseconds(o.policy.jitter_limit));
}

double loss_cost(double excess, const Options& o) {
  return o.policy.loss_weight * saturated(excess / std::max(o.policy.loss_limit - kQuietLoss, 1e-3));
}

}  // namespace

double score_cost(const Reading& r, const Options& o) {
  return delay_cost(r, o) + loss_cost(r.loss.lower - kQuietLoss, o);
}

double score_excess(const Reading& better, const Reading& other, const Options& o) {
  return delay_cost(other, o) - delay_cost(better, o) +
         loss_cost(other.loss.lower - std::max(kQuietLoss, better.loss.upper), o) -
         loss_cost(better.loss.lower - std::max(kQuietLoss, other.loss.upper), o);
}

double score_band(const Reading& better, const Reading& other, const Options& o) {
  // 3 sigma / sqrt n of the difference of two means (it is asked each second, for ever: 2 are too
  // few); a mean deviation is 0.8 sigma.
  const double noise = 3 * std::hypot(better.jitter_ms / std::sqrt(better.samples),
                                      other.jitter_ms / std::sqrt(other.samples));
  const double delay =
      std::max({o.dead_band * better.rtt_ms, milliseconds(o.dead_band_delay), 1.25 * noise});
  return o.policy.delay_weight * delay / delay_range_ms(o) +
         o.policy.jitter_weight * noise / milliseconds(o.policy.jitter_limit);
}

double alarm_cost(const Reading& r, const Options& o) {
  const double delay = std::max(0.0, r.recent_ms - milliseconds(o.policy.delay_floor)) / delay_range_ms(o);
  return o.policy.delay_weight * delay + o.policy.loss_weight * r.alarm_loss / o.policy.loss_limit;
}

double alarm_band(const Reading& better, const Options& o) {
  const double delay = std::max(o.dead_band * better.recent_ms, milliseconds(o.dead_band_delay));
  return o.policy.delay_weight * delay / delay_range_ms(o);
}

}  // namespace hopwise::engine
