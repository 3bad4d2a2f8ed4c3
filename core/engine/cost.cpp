#include "core/engine/cost.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr double kQuietQueue = 0.1;  // of the queue's limit: below, a queue is jitter
constexpr double kQuietLoss = 0.01;  // below, loss is weather
constexpr double kLeastShare = 0.02;

double saturated(double x) {
  return std::clamp(x, 0.0, 1.0);
}

double limit_ms(Duration limit) {
  return std::max(milliseconds(limit), 1e-3);
}

double delay_range_ms(const Policy& p) {
  return std::max(milliseconds(p.delay_limit - p.delay_floor), 1.0);
}

double queue_beyond(const Reading& r, const Policy& p) {
  const double queue = std::max(0.0, r.rtt_ms - r.base_ms);
  return queue / limit_ms(p.queue_limit) - kQuietQueue;
}

double loss_cost(double excess, const Policy& p) {
  return p.loss_weight * saturated(excess / std::max(p.loss_limit - kQuietLoss, 1e-3));
}

double delay_cost(const Reading& r, const Policy& p) {
  const CostTerms terms = score_terms(r, p);
  return terms.delay + terms.queue + terms.jitter;
}

// 3 sigma / sqrt n of the difference of two means (it is asked each second, for ever: 2 are too
// few); a mean deviation is 0.8 sigma.
double noise_ms(const Reading& a, const Reading& b) {
  return 3 * std::hypot(a.jitter_ms / std::sqrt(a.samples), b.jitter_ms / std::sqrt(b.samples));
}

}  // namespace

CostTerms score_terms(const Reading& r, const Policy& p) {
  CostTerms terms;
  terms.delay =
      p.delay_weight * saturated((r.base_ms - milliseconds(p.delay_floor)) / delay_range_ms(p));
  terms.queue = p.queue_weight * saturated(queue_beyond(r, p));
  terms.loss = loss_cost(r.loss.lower - kQuietLoss, p);
  terms.jitter = p.jitter_weight * saturated(r.jitter_ms / limit_ms(p.jitter_limit));
  return terms;
}

double score_excess(const Reading& better, const Reading& other, const Policy& p) {
  return delay_cost(other, p) - delay_cost(better, p) +
         loss_cost(other.loss.lower - std::max(kQuietLoss, better.loss.upper), p) -
         loss_cost(better.loss.lower - std::max(kQuietLoss, other.loss.upper), p);
}

double score_noise(const Reading& better, const Reading& other, const Policy& p) {
  const double noise = noise_ms(better, other);
  return p.delay_weight * 1.25 * noise / delay_range_ms(p) +
         p.jitter_weight * noise / limit_ms(p.jitter_limit);
}

double score_band(const Reading& better, const Reading& other, const Policy& p, const Options& o) {
  const double least = std::max(o.dead_band * better.rtt_ms, milliseconds(o.dead_band_delay));
  const double noise = noise_ms(better, other);
  return p.delay_weight * std::max(least, 1.25 * noise) / delay_range_ms(p) +
         p.jitter_weight * noise / limit_ms(p.jitter_limit);
}

double queue_slope(const Reading& r, double share, const Policy& p) {
  const double beyond = queue_beyond(r, p);
  if (beyond <= 0 || beyond >= 1) return 0;
  return p.queue_weight * (beyond + kQuietQueue) / std::max(share, kLeastShare);
}

double delay_worth(Duration delay, const Policy& p) {
  return p.delay_weight * milliseconds(delay) / delay_range_ms(p);
}

double price_cost(const NexthopTerms& terms, const Policy& p) {
  if (terms.commit_bit_s || !std::isfinite(terms.price)) return 0;
  return p.price_weight * saturated(terms.price / std::max(p.price_limit, 1e-9));
}

double alarm_cost(const Reading& r, const Policy& p) {
  const double delay = std::max(0.0, r.recent_ms - milliseconds(p.delay_floor)) / delay_range_ms(p);
  return p.delay_weight * delay + p.loss_weight * r.alarm_loss / std::max(p.loss_limit, 1e-3);
}

double alarm_band(const Reading& better, const Policy& p, const Options& o) {
  const double delay = std::max(o.dead_band * better.recent_ms, milliseconds(o.dead_band_delay));
  return p.delay_weight * delay / delay_range_ms(p);
}

}  // namespace hopwise::engine
