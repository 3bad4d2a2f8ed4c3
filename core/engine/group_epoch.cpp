// What a group does once an epoch: the slow law moves the wanted shares, the ramp raises limits.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/engine/group_law.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr Duration kEven = std::chrono::minutes(1);  // of equal costs, before shares return
constexpr double kJudgedSamples = 50;                // fewer give no score

}  // namespace

void GroupLaw::run_epoch(TimePoint now) {
  const double elapsed = std::min(seconds(now - *epoch_), 2 * seconds(options_->epoch));
  epoch_ = now;
  if (!overload_.holds(now)) run_slow_law(now);
  for (Share& s : shares_) {
    if (!s.usable || !s.limited() || !ramp(s, options_->ramp_step * elapsed, now)) continue;
    const std::string text = format("limit=%.3f wanted=%.3f", s.limit, s.wanted);
    trigger({Reason::ramp, s.nexthop->id(), text, false});
  }
}

// Up after proof; not while damped, and not onto a path that is dearer than what it would relieve.
bool GroupLaw::ramp(Share& s, double step, TimePoint now) {
  TrackedNexthop& n = *s.nexthop;
  if (n.suppressed(now)) return false;
  if (in_fault(n.state())) {
    // Still degraded, yet all that are not limited have become clearly worse.
    for (const Share& o : shares_)
      if (o.usable && !o.limited() && better_than(o) != &s) return false;
  } else if (n.probed()) {
    if (!n.answering() || !n.reading()) return false;
    for (const Share& o : shares_) {
      if (&o == &s || !o.usable || o.nexthop->state() != PathState::up || !o.nexthop->reading())
        continue;
      const Reading& theirs = *o.nexthop->reading();
      if (score_excess(theirs, *n.reading(), *options_) >
          score_band(theirs, *n.reading(), *options_))
        return false;
    }
  }
  set_limit(s, std::min(s.limit + step, 1.0));
  s.ramped = now;
  return true;
}

void GroupLaw::run_slow_law(TimePoint now) {
  std::vector<Share*> judged;
  const Share* cheapest = nullptr;
  for (Share& s : shares_) {
    const auto& reading = s.nexthop->reading();
    const bool proven = s.nexthop->state() == PathState::up ||
                        (s.nexthop->health().recovering() && s.nexthop->answering());
    if (!s.usable || !proven || !reading || reading->samples < kJudgedSamples) continue;
    judged.push_back(&s);
    s.cost = score_cost(*reading, *options_);
    if (!cheapest || s.cost < cheapest->cost) cheapest = &s;
  }
  if (judged.size() < 2) return;

  const Reading& best = *cheapest->nexthop->reading();
  const double sum = std::accumulate(judged.begin(), judged.end(), 0.0,
                                     [](double x, const Share* s) { return x + s->wanted; });
  std::vector<double> wanted;
  std::vector<double> costs;
  bool even = true;
  const Share* dearest = nullptr;  // of those that still have something to lose
  for (const Share* s : judged) {
    const double band = score_band(best, *s->nexthop->reading(), *options_);
    const double excess = score_excess(best, *s->nexthop->reading(), *options_);
    even = even && std::abs(excess) < band / 2;
    wanted.push_back(s->wanted / sum);
    // What nothing distinguishes from the cheapest counts as equal to it.
    costs.push_back(excess > band ? cheapest->cost + excess : cheapest->cost);
    const bool can_lose = wanted.back() > floor_of(*s) + kHalfBucket;
    if (excess > band && can_lose && (!dearest || s->cost > dearest->cost)) dearest = s;
  }
  if (!even) even_since_.reset();
  if (even && !even_since_) even_since_ = now;
  std::string text;
  if (dearest) {
    const auto next =
        exponential_step(wanted, costs, {options_->gain, options_->max_step, options_->floor});
    for (std::size_t i = 0; i < judged.size(); ++i) judged[i]->wanted = next[i] * sum;
    apply_caps(judged, now);
    text = format("cost=%.3f best=%.3f rtt_ms=%.1f best_rtt_ms=%.1f", dearest->cost, cheapest->cost,
                  dearest->nexthop->reading()->rtt_ms, best.rtt_ms);
    trigger({Reason::cost, dearest->nexthop->id(), text, false});
  } else if (even && now - *even_since_ >= kEven) {
    if (!return_to_routing(judged, sum)) return;
    apply_caps(judged, now);
    text = format("even_s=%.0f", seconds(now - *even_since_));
    trigger({Reason::cost, std::nullopt, text, false});
  }
}

// Where nothing has told paths apart for long, routing's own shares are the best guess (they may
// stand for capacity). Five times slower than leaving them. False: they are there already.
bool GroupLaw::return_to_routing(std::span<Share* const> judged, double sum) {
  double kernel = 0;
  for (const Share* s : judged) kernel += s->kernel;
  double largest = 0;
  for (const Share* s : judged)
    largest = std::max(largest, std::abs(s->kernel / kernel - s->wanted / sum));
  if (largest < kHalfBucket) return false;
  const double part = std::min(1.0, options_->max_step / 5 / largest);
  for (Share* s : judged) s->wanted += part * (s->kernel / kernel * sum - s->wanted);
  return true;
}

void GroupLaw::apply_caps(std::span<Share* const> judged, TimePoint now) {
  double sum = 0;
  std::vector<double> wanted;
  for (const Share* s : judged) sum += s->wanted;
  std::vector<Bounds> bounds;
  for (const Share* s : judged) {
    wanted.push_back(s->wanted / sum);
    bounds.push_back({std::min(floor_of(*s), s->wanted) / sum, s->cap.at(now) / sum});
  }
  const auto capped = bounded_shares(wanted, bounds);
  for (std::size_t i = 0; i < judged.size(); ++i) judged[i]->wanted = capped[i] * sum;
}

}  // namespace hopwise::engine
