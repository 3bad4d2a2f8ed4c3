#include "core/engine/group_law.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr double kSurge = 2.2;  // steps of the ramp: an epoch may be twice as long
constexpr Duration kTogether = std::chrono::seconds(2);

int gravity(Reason reason) {
  switch (reason) {
    case Reason::initial:
      return 13;
    case Reason::link_down:
      return 12;
    case Reason::neighbour_lost:
      return 11;
    case Reason::bfd_down:
    case Reason::path_down:
      return 10;
    case Reason::reverted:
    case Reason::resumed:
      return 9;
    case Reason::overload_hold:
      return 8;
    case Reason::path_degraded:
      return 7;
    case Reason::objective:
      return 6;
    case Reason::route_changed:
      return 5;
    case Reason::path_recovered:
      return 4;
    case Reason::objective_unmet:
    case Reason::no_alternative_hold:
    case Reason::candidate:
      return 3;
    case Reason::all_worse_hold:
      return 2;
    case Reason::ramp:
      return 1;
    case Reason::cost:
      return 0;
  }
  return 0;
}

}  // namespace

void GroupLaw::set_paths(const std::vector<Member>& members) {
  const double kernel_total =
      std::accumulate(members.begin(), members.end(), 0.0,
                      [](double sum, const Member& m) { return sum + m.path.kernel_weight; });
  std::vector<Share> next;
  std::vector<int> stays;  // their former indices
  std::vector<const TrackedNexthop*> former;
  for (const Share& s : shares_) former.push_back(s.nexthop);
  double kept = 0;   // wanted by routing's own paths that stay
  double fresh = 0;  // by the new ones
  double lent = 0;   // to candidates
  for (const Member& m : members) {
    const double kernel = kernel_total > 0 ? m.path.kernel_weight / kernel_total
                                           : 1 / static_cast<double>(members.size());
    const bool candidate = kernel <= 0;
    const auto old = std::find_if(shares_.begin(), shares_.end(),
                                  [&](const Share& s) { return s.nexthop == m.nexthop; });
    const auto was = std::find(former.begin(), former.end(), m.nexthop);
    stays.push_back(was == former.end() ? -1 : static_cast<int>(was - former.begin()));
    Share share;
    if (old != shares_.end()) {
      share = *old;
      if (candidate && !old->candidate()) share.wanted = 0;  // routing has let go of it
      if (!candidate && !old->candidate()) {
        share.wanted *= kernel / old->kernel;  // follows routing's own changes
        share.cap.scale(kernel / old->kernel);
      }
      shares_.erase(old);
    } else {
      share.usable = m.nexthop->reachable();
      share.wanted = m.share;
      ++m.nexthop->groups;
    }
    if (candidate)
      lent += share.wanted;
    else if (share.wanted > 0)
      kept += share.wanted;
    else
      fresh += kernel;
    share.path = m.path;
    share.nexthop = m.nexthop;
    share.kernel = kernel;
    next.push_back(share);
  }
  const double own = kept + lent > 0 ? kept / (kept + lent) : 1;
  for (Share& share : next) {
    if (share.candidate()) {
      share.wanted = share.wanted > 0 ? share.wanted / (kept + lent) : 0;
      share.entered = share.wanted > 0;
      share.usable = share.usable && share.entered;
    } else {
      share.wanted = share.wanted > 0 ? share.wanted * (1 - fresh) / kept : share.kernel;
      share.wanted *= own;
    }
  }
  clear();  // of what left
  shares_ = std::move(next);
  demand_.set_paths(stays);
  fused_.clear();
  routing_.clear();
  for (const Share& share : shares_) routing_.push_back(share.kernel);
  changed_ = true;
}

void GroupLaw::clear() {
  for (Share& share : shares_) {
    set_limit(share, 1);
    share.nexthop->load.predicted_bit_s -= share.booked_bit_s;
    --share.nexthop->groups;
  }
  shares_.clear();
}

std::optional<Decision> GroupLaw::decide(TimePoint now, Extent extent) {
  extent_ = extent;
  trigger_.reset();
  proof_.advance(now);
  if (followed_.due(now)) tell(followed_.advance(now, figures(now)));
  judge_candidates(now);
  tell_recoveries(now);
  judge_usability(now);
  if (!overload_.holds(now) && !reverted_) judge_degraded(now);
  free_cheapest();
  if (!epoch_) epoch_ = now - phase();
  if (!trigger_ && !changed_ && now - *epoch_ >= options_->epoch) run_epoch(now);
  return conclude(now);
}

// Usable is what link and neighbour allow and probes do not deny. What probes deny stays while no
// other path is usable, and until another has had the time to prove that it does not share the
// fault. A candidate that stands by is an alternative to all of routing's own.
void GroupLaw::judge_usability(TimePoint now) {
  Share* spare = best_ready();
  bool alternative = spare != nullptr;
  for (const Share& s : shares_)
    alternative = alternative ||
                  (!s.out() && s.nexthop->reachable() && s.nexthop->state() != PathState::down);
  if (!alternative) alternative_since_.reset();
  if (alternative && !alternative_since_) alternative_since_ = now;
  bool any = false;
  for (Share& s : shares_) {
    if (s.out()) continue;
    bool usable = s.nexthop->reachable();
    if (usable && s.nexthop->state() == PathState::down) {
      // One that was held and answers again is about to recover: cutting it now would be a flap.
      const bool reviving = alternative && s.held && now - *alternative_since_ < kTogether &&
                            s.nexthop->well_since(s.nexthop->fault_sent());
      usable = s.usable && (!alternative || reviving || others_in_doubt(s, now));
      if (usable && !alternative) hold(s);
    }
    judge_fall(s, usable);
    any = any || s.usable;
  }
  if (any) return;
  if (spare) {
    take_in(*spare, 0);
    trigger({Reason::candidate, spare->nexthop->id(), "in no_other", true});
    if (trigger_->reason != Reason::candidate)
      trigger_->evidence += format(" candidate=%u", raw(spare->nexthop->id()));
    return;
  }
  for (Share& s : shares_)  // a path that probes call dead is better than none
    s.usable = !s.out() && s.nexthop->reachable();
}

void GroupLaw::judge_fall(Share& s, bool usable) {
  if (usable == s.usable) return;
  s.usable = usable;
  const TrackedNexthop& n = *s.nexthop;
  Reason reason = Reason::path_recovered;
  if (!usable) {
    reason = !n.link_up()              ? Reason::link_down
             : !n.neighbour_resolved() ? Reason::neighbour_lost
             : n.bfd_down()            ? Reason::bfd_down
                                       : Reason::path_down;
    s.relief.reset();
    s.yield.reset();
    s.left.reset();
    if (n.state() == PathState::down) set_limit(s, floor_of(s));
  }
  trigger({reason, n.id(), n.evidence(), true});
}

// What our own load did is no flap of the path.
void GroupLaw::tell_recoveries(TimePoint now) {
  for (Share& s : shares_) {
    const bool fallen = in_fault(s.nexthop->state());
    if (s.fallen && !fallen) {
      if (s.relief || s.yield || s.loaded || overload_.holds(now)) s.nexthop->forgive(now);
      s.relief.reset();
      s.yield.reset();
      s.evidence.settle();
      s.held = s.loaded = false;
      if (!s.out()) trigger({Reason::path_recovered, s.nexthop->id(), s.nexthop->evidence(), true});
    }
    if (!s.fallen && fallen) s.could_bit_s = s.nexthop->load.capacity_bit_s;
    s.fallen = fallen;
  }
}

// Limits must leave somebody to carry the traffic: the cheapest of the least faulty.
void GroupLaw::free_cheapest() {
  Share* best = nullptr;
  std::pair<bool, double> lowest;
  for (const Share& s : shares_)
    if (s.usable && s.most() >= 1) return;
  for (Share& s : shares_)
    if (s.usable)
      s.objective_limit = 1;  // better a path that breaks an objective than one in fault
  for (const Share& s : shares_)
    if (s.usable && !s.limited()) return;
  for (Share& s : shares_) {
    if (!s.usable) continue;
    const auto& reading = s.nexthop->reading();
    const std::pair rank{in_fault(s.nexthop->state()),
                         reading ? alarm_cost(*reading, policy()) : 1e9};
    if (!best || rank < lowest) {
      best = &s;
      lowest = rank;
    }
  }
  if (best) set_limit(*best, 1);
}

std::vector<double> GroupLaw::weights() const {
  std::vector<double> wanted;
  std::vector<Bounds> bounds;
  wanted.reserve(shares_.size());
  bounds.reserve(shares_.size());
  for (const Share& s : shares_) {
    wanted.push_back(s.wanted);
    bounds.push_back(s.usable ? Bounds{floor_of(s), s.most()} : Bounds{0, 0});
  }
  return bounded_shares(wanted, bounds);
}

// A limit above the share that a path gets anyway has done its work; so has one on a path that the
// slow law itself has brought to the floor.
void GroupLaw::lift_idle_limits(std::span<const double> weights) {
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    Share& s = shares_[i];
    if (!s.usable || !s.limited() || in_fault(s.nexthop->state())) continue;
    if (weights[i] < s.limit - kTiny || s.wanted <= floor_of(s) + kTiny) set_limit(s, 1);
  }
}

std::optional<Decision> GroupLaw::conclude(TimePoint now) {
  if (changed_)
    trigger({Reason::initial, std::nullopt, "paths=" + std::to_string(shares_.size()), true});
  if (!trigger_) return std::nullopt;
  const std::vector<double> next = weights();
  lift_idle_limits(next);
  double largest = 0;
  for (std::size_t i = 0; i < shares_.size(); ++i)
    largest = std::max(largest, std::abs(next[i] - shares_[i].weight));
  if (!trigger_->told && largest < kHalfBucket) return std::nullopt;

  changed_ = false;
  // Before the first one traffic went as routing has it.
  const bool first = std::ranges::all_of(shares_, [](const Share& s) { return s.weight == 0; });
  Decision d{id_, now, trigger_->reason, trigger_->cause, std::move(trigger_->evidence), {}, 0};
  d.paths.reserve(shares_.size());
  for (std::size_t i = 0; i < shares_.size(); ++i) {
    Share& s = shares_[i];
    const CostTerms terms = terms_of(s, next[i]);
    d.paths.push_back({s.path.id, s.path.nexthop, s.weight, next[i], s.usable || s.lingers,
                       s.nexthop->state(), terms.total(), terms, predict(s, next[i]),
                       s.candidate()});
    if (!dry() && !first && surges(s, next[i], now)) s.nexthop->surged = now;
    s.weight = next[i];
    book(s);
  }
  return d;
}

// More at once than the slow law or the ramp would bring, and of all that we put on the nexthop, by
// many groups together; or of the group's own share alone where its traffic is not known.
bool GroupLaw::surges(const Share& s, double weight, TimePoint now) {
  const double most = kSurge * options_->ramp_step;
  if (weight - s.weight <= most) return false;
  if (demand_.total_bit_s(now).value_or(0) <= 0) return true;
  BookedLoad& load = s.nexthop->load;
  const double raise = std::max(0.0, planned_bit_s(s, weight) - planned_bit_s(s, s.weight));
  load.surges_bit_s += raise;
  return load.surges_bit_s > most * (load.ours_bit_s() + load.background_bit_s + raise);
}

void GroupLaw::trigger(Trigger t) {
  const bool told = t.told || (trigger_ && trigger_->told);
  if (!trigger_ || gravity(t.reason) > gravity(trigger_->reason)) trigger_ = std::move(t);
  trigger_->told = told;
}

void GroupLaw::hold(Share& s) {
  if (s.held) return;
  s.held = true;
  const Reason reason = all_fell_together() ? Reason::all_worse_hold : Reason::no_alternative_hold;
  const char* where = extent_ == Extent::everywhere ? " all_nexthops_at_once" : "";
  trigger({reason, s.nexthop->id(), s.nexthop->evidence() + where, true});
}

void GroupLaw::set_limit(Share& s, double limit) {
  s.nexthop->limited += static_cast<int>(limit < 1) - static_cast<int>(s.limited());
  s.limit = limit;
}

// A thousand groups do not all have their epoch at the same decision.
Duration GroupLaw::phase() const {
  return options_->epoch / kPhases * ((raw(id_) + kPhases - 1) % kPhases);
}

// Routing's own share may be smaller than the floor; a candidate has none, and so no floor.
double GroupLaw::floor_of(const Share& s) const {
  return std::min(options_->floor, s.kernel);
}

}  // namespace hopwise::engine
