// What a group does once an epoch: the slow law moves the wanted shares, the ramp raises limits.
//
// The slow law sets out when some path is dearer than the cheapest by more than the dead band, and
// then goes on until it is dearer by a quarter of it only (never by less than the noise): costs end
// up nearly equal, and small changes after that are no reason to set out again. Where loads are
// known the costs bend with the shares, so that this is a point between the corners. That, and a
// step that never goes beyond the point where the predicted costs are equal (load.hpp), at a gain
// that measured ones bear (gain.hpp), is why shares in steady state do not move at all.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/engine/group_law.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr Duration kEven = std::chrono::minutes(1);  // of equal costs, before shares return
constexpr double kJudgedSamples = 50;                // fewer give no score
constexpr double kArrived = 0.25;                    // of the dead band: the end of a journey
constexpr double kSure = 2;  // errors of the planned load, before it is relied on
constexpr Duration kTurn = std::chrono::minutes(3);
constexpr double kToldStep_ms = 5;
constexpr double kToldStep = 0.2;     // of the base
constexpr double kBrokenStep = 0.10;  // an epoch, while a path is about to drop

}  // namespace

/// A path that the slow law judges.
struct GroupLaw::Contender {
  Share* share = nullptr;
  Reading reading;
  double wanted = 0;  // of what the contenders have together
  LoadLine load;      // by that
  double cost = 0;
  double extra = 0;  // of the cost: price and preference, which have no noise
  // Against the cheapest:
  double excess = 0;
  double without_load = 0;  // of the excess
  double quiet = 0;         // the dead band
  double noise = 0;         // of that
  // The excess that is left if the plan errs, both loads to the worse for a move:
  double sure = 0;
  double surest = 0;    // by twice as much
  double arriving = 0;  // by half
};

void GroupLaw::run_epoch(TimePoint now) {
  const double elapsed = std::min(seconds(now - *epoch_), 2 * seconds(options_->epoch));
  epoch_ = now;
  heed_steps();
  fuse_evidence(now);
  plan_.advance(demand_, elapsed, now);
  heed_proof(now);
  if (!reverted_) heed_objectives(elapsed / seconds(options_->epoch), now);
  const bool routed = unmet_ && objectives_.unmet == Unmet::routing;
  if (!overload_.holds(now) && !reverted_ && !routed) run_slow_law(now);
  for (Share& s : shares_) {
    if (!s.usable || !s.limited() || !ramp(s, options_->ramp_step * elapsed, now)) continue;
    const std::string text = format("limit=%.3f wanted=%.3f", s.limit, s.wanted);
    trigger({Reason::ramp, s.nexthop->id(), text, false});
  }
}

// The way of a path has become longer: what its traffic knew of its own lowest is void, too. A
// drift comes in small steps, which are not worth telling.
void GroupLaw::heed_steps() {
  for (Share& s : shares_) {
    const auto stepped = s.nexthop->stepped();
    const double before = s.base_ms.value_or(0);
    if (const auto& reading = s.nexthop->reading()) s.base_ms = reading->base_ms;
    if (const Reading* r = figures(s);
        r && !s.nexthop->load.full_within(options_->score_loss_window))
      s.quiet_jitter_ms = r->jitter_ms;
    if (stepped == s.stepped) continue;
    s.stepped = stepped;
    s.evidence.accept_step();
    const double step = s.base_ms.value_or(0) - before;
    if (!s.out() && before > 0 && step > std::max(kToldStep_ms, kToldStep * before))
      trigger({Reason::route_changed, s.nexthop->id(),
               format("base_ms=%.1f was_ms=%.1f", *s.base_ms, before), true});
  }
}

void GroupLaw::fuse_evidence(TimePoint now) {
  Arena arena;
  auto passive = row<const PathEvidence*>(arena, shares_.size());
  auto active = row<const Reading*>(arena, shares_.size());
  for (const Share& s : shares_) {
    passive.push_back(&s.evidence);
    active.push_back(s.nexthop->reading() ? &*s.nexthop->reading() : nullptr);
  }
  fuse(passive, active, now, fused_);
  for (std::size_t i = 0; i < shares_.size(); ++i) shares_[i].evidence.remember(fused_[i], now);
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
      // What is full is no better place.
      const double loads = load_line(s).cost(s.weight) - load_line(o).cost(o.weight);
      if (score_excess(theirs, *n.reading(), policy()) + policy().load_weight * loads >
          score_band(theirs, *n.reading(), policy(), *options_))
        return false;
    }
  }
  set_limit(s, std::min(s.limit + step, 1.0));
  s.ramped = now;
  return true;
}

void GroupLaw::run_slow_law(TimePoint now) {
  take_in_better(now);
  Arena arena;
  auto field = row<Contender>(arena, shares_.size());
  gather(field);
  if (field.size() < 2) return;
  const Contender* cheapest = compare(field);
  const bool loads = std::any_of(field.begin(), field.end(), [](auto& c) { return c.load.known; });
  bool even = true;
  const Contender* dearest = nullptr;  // of those that still have something to lose
  for (Contender& c : field) {
    even = even && std::abs(c.without_load) < c.quiet / 2 && c.sure < c.quiet / 2;
    const bool back = turns(c, *cheapest, now);
    const bool goes_on = loads && travelling_ && !back;
    const double sure = goes_on ? c.arriving : back ? c.surest : c.sure;
    const double least = goes_on ? std::max(kArrived * c.quiet, c.noise) : c.quiet * (back ? 2 : 1);
    // What nothing distinguishes from the cheapest counts as equal to it; on a journey down a
    // potential that would be a lie which the next step has to take back.
    c.cost = cheapest->cost + (loads || sure > least ? c.excess : 0);
    if (sure <= least) continue;
    // The floor is for routing's own: what the law has brought down to it is let go.
    if (c.share->candidate() && c.wanted <= options_->floor + kHalfBucket)
      return let_go(*c.share, format("cost=%.3f best=%.3f", c.cost, cheapest->cost));
    const bool can_lose = c.wanted > floor_of(*c.share) + kHalfBucket;
    if (can_lose && (!dearest || c.excess > dearest->excess)) dearest = &c;
  }
  if (!even) even_since_.reset();
  if (even && !even_since_) even_since_ = now;
  if (dearest) {
    if (step(field, *cheapest, now)) tell_move(*dearest, *cheapest);
    return;
  }
  travelling_ = false;
  if (even && now - *even_since_ >= kEven && return_to_routing(field))
    trigger(
        {Reason::cost, std::nullopt, format("even_s=%.0f", seconds(now - *even_since_)), false});
}

// Back where traffic has just come from: that takes twice the evidence, or a load that is surely
// too high. What has turned already does not turn again by going on.
bool GroupLaw::turns(const Contender& from, const Contender& to, TimePoint now) const {
  using Moved = std::optional<TimePoint>;
  const auto lately = [&](const Moved& t, const Moved& opposite) {
    return t && now - *t < kTurn && (!opposite || *opposite < *t);
  };
  return (lately(from.share->raised, from.share->lowered) ||
          lately(to.share->lowered, to.share->raised)) &&
         !(from.load.known && from.load.utilisation(from.wanted) > 1);
}

void GroupLaw::gather(Row<Contender>& field, Field which) {
  double sum = 0;
  for (Share& s : shares_) {
    const TrackedNexthop& n = *s.nexthop;
    const auto reading = scored(s);
    const bool proven = n.state() == PathState::up || !n.probed() || s.loaded || s.yield ||
                        (n.health().recovering() && n.answering());
    if (!s.usable && !(s.ready && which == Field::with_candidates)) continue;
    if (!proven || !reading || reading->samples < kJudgedSamples) continue;
    if (s.objective_limit < 1) continue;
    Contender c;
    c.share = &s;
    c.reading = *reading;
    field.push_back(c);
    sum += s.wanted;
  }
  Arena arena;
  auto wanted = row<double>(arena, shares_.size());
  auto bounds = row<Bounds>(arena, shares_.size());
  Row<double> within(shares_.size(), arena);
  for (const Share& s : shares_) {
    wanted.push_back(s.wanted);
    bounds.push_back(s.usable ? Bounds{floor_of(s), s.most()} : Bounds{0, 0});
  }
  bounded_shares(wanted, bounds, within);
  for (Contender& c : field) {
    const Share& s = *c.share;
    c.wanted = s.wanted / sum;
    // Limits of others make the weight more than what is wanted, and every step counts for more. Of
    // one that is limited itself the load is that of what is wanted, or wishes would wind up.
    c.load =
        load_line(s, s.wanted > kTiny ? sum * std::max(1.0, within[index(s)] / s.wanted) : sum);
    c.extra = price_cost(s.nexthop->carrier.terms(), policy()) + preference(s);
    c.cost = score_terms(c.reading, policy()).total() + c.extra +
             policy().load_weight * c.load.cost(c.wanted);
  }
}

const GroupLaw::Contender* GroupLaw::compare(std::span<Contender> field) const {
  const auto best = std::min_element(field.begin(), field.end(),
                                     [](auto& a, auto& b) { return a.cost < b.cost; });
  const double weight = policy().load_weight;
  // Of a load that is so many errors of the plan higher.
  const auto of_load = [&](const Contender& c, double errors) {
    if (!c.load.known) return 0.0;
    const double rho = c.load.utilisation(c.wanted);
    const double error = std::max(kDemandNoise / kSure * rho, plan_.error() * c.load.sigma());
    return weight * load_cost(rho + errors * error, c.load.sigma());
  };
  for (Contender& c : field) {
    c.without_load = score_excess(best->reading, c.reading, policy()) + c.extra - best->extra;
    c.excess = c.without_load + of_load(c, 0) - of_load(*best, 0);
    c.noise = score_noise(best->reading, c.reading, policy());
    c.quiet = score_band(best->reading, c.reading, policy(), *options_);
    const auto sure = [&](double errors) {
      return c.without_load + of_load(c, -errors) - of_load(*best, errors);
    };
    // Off a path that fills, less certainty will do than onto one: a queue costs more than a
    // detour.
    const double k = c.excess > c.without_load ? kSure / 2 : kSure;
    c.sure = sure(k);
    c.surest = sure(2 * k);
    c.arriving = sure(k / 2);
  }
  return &*best;
}

// A candidate enters when it is the cheapest, and each path that routing has surely dearer by the
// dead band: then as little as the floor, from where the law goes on.
void GroupLaw::take_in_better(TimePoint now) {
  if (std::none_of(shares_.begin(), shares_.end(), [](const Share& s) { return s.ready; })) return;
  Arena arena;
  auto field = row<Contender>(arena, shares_.size());
  gather(field, Field::with_candidates);
  if (field.empty()) return;
  const Contender* best = compare(field);
  if (!best->share->ready) return;
  const Contender* next = nullptr;  // the best of those that carry
  for (const Contender& c : field) {
    if (c.share->ready) continue;
    const bool back = turns(c, *best, now);
    if ((back ? c.surest : c.sure) <= c.quiet * (back ? 2 : 1)) return;
    if (!next || c.cost < next->cost) next = &c;
  }
  if (!next) return;
  take_in(*best->share, options_->floor);
  trigger({Reason::candidate, best->share->nexthop->id(),
           format("in cost=%.3f best=%.3f rtt_ms=%.1f best_rtt_ms=%.1f", best->cost, next->cost,
                  best->reading.rtt_ms, next->reading.rtt_ms),
           true});
}

// One step down the costs. False: nothing moved.
bool GroupLaw::step(std::span<Contender> field, const Contender& cheapest, TimePoint now) {
  Arena arena;
  const std::size_t n = field.size();
  auto shares = row<double>(arena, n);
  auto costs = row<double>(arena, n);
  auto predicted = row<double>(arena, n);
  auto measured = row<double>(arena, n);
  auto loads = row<LoadLine>(arena, n);
  auto judged = row<Share*>(arena, n);
  Row<double> next(n, arena);
  bool known = false;
  bool dropping = false;
  double sum = 0;
  for (const Contender& c : field) {
    shares.push_back(c.wanted);
    costs.push_back(c.cost);
    predicted.push_back(policy().load_weight * c.load.slope(c.wanted));
    // Somebody else's queue does not answer to our shares.
    const BookedLoad& load = c.share->nexthop->load;
    const bool answers = load.carried_bit_s > 0 && load.carried_bit_s >= load.background_bit_s;
    measured.push_back(answers ? queue_slope(c.reading, c.wanted, policy()) : 0);
    loads.push_back(c.load);
    judged.push_back(c.share);
    sum += c.share->wanted;
    known = known || c.load.known;
    dropping = dropping || (c.load.known && c.load.utilisation(c.wanted) > 1);
  }
  dropping =
      dropping && !(cheapest.load.known && cheapest.load.utilisation(cheapest.wanted) > kLoadKnee);
  // An average of tau answers as one measurement of that age would.
  const int delay =
      1 + static_cast<int>(std::lround(seconds(options_->slow_tau) / seconds(options_->epoch)));
  schedule_ = schedule(shares, {predicted, measured, delay}, options_->gain, options_->floor);
  const double most = dropping ? std::max(kBrokenStep, options_->max_step) : options_->max_step;
  const Bend bend{known ? std::span<const LoadLine>(loads) : std::span<const LoadLine>{},
                  policy().load_weight};
  exponential_step(shares, costs, {schedule_.rate, most, options_->floor}, next, bend);
  travelling_ = known;
  double largest = 0;
  auto before = row<double>(arena, n);
  for (std::size_t i = 0; i < n; ++i) {
    before.push_back(judged[i]->wanted);
    judged[i]->wanted = next[i] * sum;
  }
  apply_caps(judged, now);
  for (std::size_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::abs(judged[i]->wanted - before[i]));
    if (judged[i]->wanted > before[i] + kHalfBucket) judged[i]->raised = now;
    if (judged[i]->wanted < before[i] - kHalfBucket) judged[i]->lowered = now;
  }
  return largest > kTiny;
}

void GroupLaw::tell_move(const Contender& dearest, const Contender& cheapest) {
  std::string text = format("cost=%.3f best=%.3f rtt_ms=%.1f best_rtt_ms=%.1f", dearest.cost,
                            cheapest.cost, dearest.reading.rtt_ms, cheapest.reading.rtt_ms);
  if (dearest.load.known) text += format(" load=%.2f", dearest.load.utilisation(dearest.wanted));
  if (cheapest.load.known)
    text += format(" best_load=%.2f", cheapest.load.utilisation(cheapest.wanted));
  trigger({Reason::cost, dearest.share->nexthop->id(), std::move(text), false});
}

// Where nothing has told paths apart for long, routing's own shares are the best guess (they may
// stand for capacity). Five times slower than leaving them, and not to where load would cost.
// False: they are there already.
bool GroupLaw::return_to_routing(std::span<Contender> field) {
  double kernel = 0;
  double sum = 0;
  for (const Contender& c : field) {
    kernel += c.share->kernel;
    sum += c.share->wanted;
  }
  double largest = 0;
  for (const Contender& c : field)
    largest = std::max(largest, std::abs(c.share->kernel / kernel - c.wanted));
  if (largest < kHalfBucket) return false;
  const double part = std::min(1.0, options_->max_step / 5 / largest);
  const auto later = [&](const Contender& c) {
    return c.wanted + part * (c.share->kernel / kernel - c.wanted);
  };
  for (const Contender& c : field)
    if (later(c) > c.wanted && c.load.known && c.load.utilisation(later(c)) > kLoadKnee)
      return false;
  Arena arena;
  auto judged = row<Share*>(arena, field.size());
  for (const Contender& c : field) {
    c.share->wanted = later(c) * sum;
    judged.push_back(c.share);
  }
  apply_caps(judged, *epoch_);
  return true;
}

void GroupLaw::apply_caps(std::span<Share* const> judged, TimePoint now) {
  Arena arena;
  double sum = 0;
  auto wanted = row<double>(arena, judged.size());
  for (const Share* s : judged) sum += s->wanted;
  auto bounds = row<Bounds>(arena, judged.size());
  for (const Share* s : judged) {
    wanted.push_back(s->wanted / sum);
    bounds.push_back({std::min(floor_of(*s), s->wanted) / sum, s->cap.at(now) / sum});
  }
  bounded_shares(wanted, bounds, wanted);
  for (std::size_t i = 0; i < judged.size(); ++i) judged[i]->wanted = wanted[i] * sum;
}

}  // namespace hopwise::engine
