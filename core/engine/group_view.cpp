// What a group's paths cost, load and are expected to do, and what is told of it.
#include <algorithm>
#include <cmath>

#include "core/engine/group_law.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr double kRoom = 0.95;  // of the capacity

}  // namespace

void GroupLaw::set_terms(const GroupTerms& terms) {
  if (terms_ && *terms_ == terms) return;
  terms_ = terms;
  proof_.set_terms(terms);
  terms_->policy = sound(terms.policy);
  objectives_ = sound(terms.objectives);
  for (Share& s : shares_) {
    s.objective_limit = 1;
    s.fit.reset();
  }
  unmet_ = travelling_ = false;
}

void GroupLaw::observe(std::size_t path, const PathReading& reading) {
  if (path >= shares_.size() || !shares_[path].evidence.observe(reading)) return;
  demand_.observe(path, reading, dry() ? shares_[path].kernel : shares_[path].weight);
  proof_.observe(reading);
}

void GroupLaw::observe(const ControlReading& reading) {
  proof_.observe(reading);
  demand_.observe(reading, routing_);
}

// A dry run moves nothing: its traffic stays where routing puts it.
void GroupLaw::book(Share& s) {
  const double booked = planned_bit_s(s, dry() ? s.kernel : s.weight);
  s.nexthop->load.predicted_bit_s += booked - s.booked_bit_s;
  s.booked_bit_s = booked;
}

void GroupLaw::enter_book() {
  for (Share& s : shares_) {
    s.booked_bit_s = 0;
    book(s);
    s.nexthop->load.carried_bit_s += demand_.carried_bit_s(index(s));
    s.nexthop->load.variance += demand_.variance(dry() ? s.kernel : s.weight);
  }
}

const Reading* GroupLaw::figures(const Share& s) const {
  if (s.nexthop->probed() && !s.nexthop->reading()) return nullptr;  // too old to act on
  const std::size_t i = index(s);
  if (i < fused_.size() && fused_[i].reading) return &*fused_[i].reading;
  return s.nexthop->reading() ? &*s.nexthop->reading() : nullptr;
}

// A queue that our own load made, or has just made, is no property of the path: what the load will
// be is known, and costs by itself. The slow average would tell of it for a minute more, the losses
// for two, and the shares would overshoot by as much.
std::optional<Reading> GroupLaw::scored(const Share& s) const {
  const Reading* figures = this->figures(s);
  if (!figures) return std::nullopt;
  Reading reading = *figures;
  const BookedLoad& load = s.nexthop->load;
  if (!load.capacity_bit_s || !load.full_within(options_->score_loss_window)) return reading;
  reading.rtt_ms = std::min(reading.rtt_ms, reading.base_ms);
  reading.jitter_ms = std::min(reading.jitter_ms, s.quiet_jitter_ms.value_or(reading.jitter_ms));
  const double later = load.predicted_bit_s + load.background_bit_s;
  if (later < *load.capacity_bit_s) reading.loss.lower = 0;  // not at the knee, where shares rest
  return reading;
}

double GroupLaw::planned_bit_s(const Share& s, double weight) const {
  return demand_.predicted_bit_s(index(s), weight, plan_.scale());
}

double GroupLaw::preference(const Share& s) const {
  double worth = 0;
  if (terms_)
    for (const Preference& p : terms_->preferences)
      if (p.nexthop == s.path.nexthop) worth -= delay_worth(p.worth, policy());
  return std::min(worth, 0.0);
}

LoadLine GroupLaw::load_line(const Share& s, double scale) const {
  const BookedLoad& load = s.nexthop->load;
  if (!load.capacity_bit_s) return {};
  const double pinned = planned_bit_s(s, 0);
  const double movable = std::max(0.0, planned_bit_s(s, 1) - pinned);
  const double others = std::max(0.0, load.predicted_bit_s - s.booked_bit_s);
  return {load.background_bit_s + others + pinned, scale * movable, *load.capacity_bit_s, true,
          std::sqrt(std::max(0.0, load.variance))};
}

double GroupLaw::room_of(const Share& s) const {
  const LoadLine line = load_line(s);
  if (!line.known || line.movable_bit_s <= 0) return 1;
  return std::max(0.0, (kRoom * line.capacity_bit_s - line.fixed_bit_s) / line.movable_bit_s);
}

Standing GroupLaw::standing(const Share& s) const {
  Standing standing{figures(s), {}};
  const BookedLoad& load = s.nexthop->load;
  if (load.capacity_bit_s)
    standing.left_bit_s = *load.capacity_bit_s - load.background_bit_s -
                          std::max(0.0, load.predicted_bit_s - s.booked_bit_s);
  return standing;
}

CostTerms GroupLaw::terms_of(const Share& s, double weight) const {
  CostTerms terms;
  if (const auto reading = scored(s)) terms = score_terms(*reading, policy());
  terms.price = price_cost(s.nexthop->carrier.terms(), policy());
  terms.load = policy().load_weight * load_line(s).cost(weight);
  terms.preference = preference(s);
  return terms;
}

// A queue goes with the load that made it, and no other does.
Prediction GroupLaw::predict(const Share& s, double weight) const {
  Prediction p;
  const BookedLoad& load = s.nexthop->load;
  const double others = std::max(0.0, load.predicted_bit_s - s.booked_bit_s);
  if (demand_.carried_bit_s(index(s)) > 0 || s.booked_bit_s > 0 || load.capacity_bit_s)
    p.bit_s = load.background_bit_s + others + planned_bit_s(s, weight);
  if (p.bit_s && load.capacity_bit_s && *load.capacity_bit_s > 0)
    p.utilisation = *p.bit_s / *load.capacity_bit_s;
  if (const Reading* reading = figures(s)) {
    const double now = load.ours_bit_s() + load.background_bit_s;
    const bool drains = p.utilisation && *p.utilisation < 0.95 && now > *p.bit_s &&
                        now >= 0.95 * *load.capacity_bit_s;
    p.rtt_ms = drains ? reading->base_ms : reading->rtt_ms;
  }
  return p;
}

std::vector<PathView> GroupLaw::view() const {
  std::vector<PathView> paths;
  for (const Share& s : shares_)
    paths.push_back({s.path.id, s.weight, s.usable || s.lingers, terms_of(s, s.weight).total()});
  return paths;
}

std::string GroupLaw::held(TimePoint now) const {
  if (reverted_) return "reverted: steering was surely worse than routing";
  if (overload_.holds(now)) return "overload_hold: moving load made paths bad";
  if (unmet_ && objectives_.unmet == Unmet::routing)
    return "objective_unmet: routing's own weights";
  const auto usable =
      std::count_if(shares_.begin(), shares_.end(), [](const Share& s) { return s.usable; });
  const bool spare =
      std::any_of(shares_.begin(), shares_.end(), [](const Share& s) { return s.ready; });
  if (usable < 2 && spare) return "no candidate is surely better than the path in use";
  if (usable < 2) return "no_alternative: fewer than two paths are usable";
  if (std::any_of(shares_.begin(), shares_.end(), [](const Share& s) { return s.held; }))
    return "no other path is surely better than the one in fault";
  const auto known = std::count_if(shares_.begin(), shares_.end(),
                                   [&](const Share& s) { return s.usable && figures(s); });
  if (known < 2) return "too little is known of the paths";
  if (!travelling_ && !trigger_) return "no path is cheaper by more than the dead band";
  return {};
}

GroupLawView GroupLaw::law(TimePoint now) const {
  GroupLawView law;
  law.group = id_;
  law.policy = policy().name;
  law.dry_run = dry();
  law.reverted = reverted_;
  law.demand_bit_s = demand_.total_bit_s(now);
  law.gain = schedule_.gain;
  law.gain_stable = schedule_.stable;
  law.held = held(now);
  law.proof = proof_.gain();
  law.loss_proof = proof_.loss_gain();
  for (const Share& s : shares_) {
    PathLaw path;
    path.path = s.path.id;
    path.nexthop = s.path.nexthop;
    path.weight = s.weight;
    path.wanted = s.wanted;
    path.limit = s.most();
    path.usable = s.usable || s.lingers;
    path.terms = terms_of(s, s.weight);
    path.predicted = predict(s, s.weight);
    if (s.nexthop->reading()) path.active_ms = s.nexthop->reading()->rtt_ms;
    path.passive_ms = s.evidence.passive_ms(now);
    if (index(s) < fused_.size()) {
      path.passive_share = fused_[index(s)].passive_share;
      path.disagreement_ms = fused_[index(s)].disagreement_ms;
    }
    path.retransmitted = s.evidence.retransmitted(now);
    path.ece = s.evidence.ece(now);
    if (law.demand_bit_s) path.own_bit_s = demand_.carried_bit_s(index(s));
    path.meets_objectives = s.meets;
    path.candidate = s.candidate();
    law.paths.push_back(path);
  }
  return law;
}

}  // namespace hopwise::engine
