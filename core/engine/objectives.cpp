#include "core/engine/objectives.hpp"

#include <algorithm>
#include <cmath>

#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr double kMargin = 0.1;  // to be called good again
constexpr double kLeast = 1e-9;
constexpr double kUntold =
    0.02;  // the upper bound of loss of a clean path that is probed at leisure

// How far beyond, as a part of the limit; a limit of 0 is never met by anything above it.
double beyond(double figure, double limit) {
  return figure / std::max(limit, kLeast) - 1;
}

void note(Verdicts& v, double distance, std::string_view name) {
  if (distance <= v.distance) return;
  v.distance = distance;
  v.worst = name;
}

void judge_latency(Verdicts& v, double limit_ms, const Reading& r) {
  const double noise = 3 * 1.25 * r.jitter_ms / std::sqrt(std::max(r.samples, 1.0));
  const double low = std::min(r.rtt_ms - noise, r.recent_ms);
  v.breaks = v.breaks || low > limit_ms;
  v.sure = v.sure && r.rtt_ms + noise <= limit_ms;
  v.meets = v.meets && std::max(r.rtt_ms, r.recent_ms) <= limit_ms * (1 - kMargin);
  note(v, beyond(low, limit_ms), "max_latency");
}

void judge_loss(Verdicts& v, double limit, const Reading& r) {
  v.breaks = v.breaks || r.loss.lower > limit;
  v.sure = v.sure && r.loss.lower <= limit && r.loss.upper <= std::max(2 * limit, kUntold);
  v.meets = v.meets && r.loss.lower <= limit * (1 - kMargin) && r.alarm_loss <= limit;
  note(v, std::min(beyond(r.loss.lower, limit), 1e6), "max_loss");
}

void judge_bandwidth(Verdicts& v, double least, double left) {
  v.breaks = v.breaks || left < least;
  v.sure = v.sure && left >= least;
  v.meets = v.meets && left >= least * (1 + kMargin);
  note(v, 1 - left / std::max(least, kLeast), "min_bandwidth");
}

}  // namespace

Objectives sound(const Objectives& o) {
  Objectives kept = o;
  if (o.max_latency && *o.max_latency <= Duration::zero()) kept.max_latency.reset();
  if (o.max_loss && !(*o.max_loss < 1)) kept.max_loss.reset();
  if (kept.max_loss) kept.max_loss = std::max(*kept.max_loss, 0.0);
  if (o.min_bandwidth_bit_s && !(*o.min_bandwidth_bit_s > 0)) kept.min_bandwidth_bit_s.reset();
  return kept;
}

Verdicts judge(const Objectives& o, const Standing& s) {
  Verdicts v;
  v.sure = v.meets = s.reading != nullptr && (!o.min_bandwidth_bit_s || s.left_bit_s);
  if (o.max_latency && s.reading) judge_latency(v, milliseconds(*o.max_latency), *s.reading);
  if (o.max_loss && s.reading) judge_loss(v, *o.max_loss, *s.reading);
  if (o.min_bandwidth_bit_s && s.left_bit_s)
    judge_bandwidth(v, *o.min_bandwidth_bit_s, *s.left_bit_s);
  return v;
}

std::string explain(const Objectives& o, const Standing& s) {
  const Verdicts v = judge(o, s);
  if (v.worst == "max_latency")
    return format("max_latency_ms=%.1f rtt_ms=%.1f", milliseconds(*o.max_latency),
                  s.reading->rtt_ms);
  if (v.worst == "max_loss")
    return format("max_loss=%.4f loss_lower=%.4f", *o.max_loss, s.reading->loss.lower);
  if (v.worst == "min_bandwidth")
    return format("min_bandwidth_bit_s=%.0f left_bit_s=%.0f", *o.min_bandwidth_bit_s,
                  *s.left_bit_s);
  return "objectives=unknown";
}

}  // namespace hopwise::engine
