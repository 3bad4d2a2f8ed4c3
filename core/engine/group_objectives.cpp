// What stands above the slow law: the proof that steering pays, and the group's objectives.
//
// A path that surely breaks an objective, while another surely meets them all, is lowered to the
// floor by at most a tenth an epoch, and returns five times slower, after half a minute in which it
// met them with a margin. Where none meets them, which may be the objectives' fault, that is told
// once, and either the nearest carry the traffic or routing's own weights hold.
#include <algorithm>
#include <cmath>

#include "core/engine/group_law.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr double kFall = 0.10;    // an epoch
constexpr double kReturn = 0.02;  // an epoch
constexpr Duration kFit = std::chrono::seconds(30);
constexpr double kNearer = 0.1;  // of the limit: less does not tell two distances apart

}  // namespace

// Routing's own weights, and no limits but those that silence, link and neighbour set.
void GroupLaw::follow_routing() {
  const bool own = std::any_of(shares_.begin(), shares_.end(),
                               [](const Share& s) { return s.usable && !s.candidate(); });
  for (Share& s : shares_) {
    s.wanted = s.kernel;
    s.objective_limit = 1;
    s.relief.reset();
    s.yield.reset();
    if (s.left) set_limit(s, 1);  // but what was down returns by its ramp
    if (own && s.candidate() && s.entered) let_go(s, "routing");
  }
  travelling_ = false;
}

void GroupLaw::heed_proof(TimePoint now) {
  const bool reverted = (!terms_ || terms_->revert) && proof_.reverted(now);
  if (reverted == reverted_) return;
  reverted_ = reverted;
  std::string text = "gain=unknown";
  if (const auto gain = proof_.gain())
    text = format("gain_ms=%.2f lower_ms=%.2f upper_ms=%.2f samples=%llu", gain->gain_ms,
                  gain->lower_ms, gain->upper_ms, static_cast<unsigned long long>(gain->samples));
  if (reverted) {
    text = proof_.evidence();
    follow_routing();
  }
  trigger({reverted ? Reason::reverted : Reason::resumed, std::nullopt, std::move(text), true});
}

void GroupLaw::heed_objectives(double epochs, TimePoint now) {
  if (!objectives_.any()) return;
  judge_paths(now);
  int asked = 0;
  int broken = 0;
  bool sure = false;
  for (const Share& s : shares_) {
    if (!s.usable) continue;
    const Verdicts v = judge(objectives_, standing(s));
    ++asked;
    broken += v.breaks;
    sure = sure || (v.sure && !v.breaks && !s.limited() && !in_fault(s.nexthop->state()));
  }
  if (asked > 0 && broken == asked) {
    if (!take_in_fit()) return heed_unmet(epochs);
    sure = true;
  }
  if (unmet_ && !sure) return;  // until some path surely meets them again
  unmet_ = false;
  if (sure) limit_unfit(epochs);
  return_fit(epochs, now);
}

// Where all paths break an objective, a candidate that surely meets them.
bool GroupLaw::take_in_fit() {
  for (Share& s : shares_) {
    if (!s.ready || !judge(objectives_, standing(s)).sure) continue;
    take_in(s, 0);
    trigger({Reason::candidate, s.nexthop->id(), "in objectives", true});
    return true;
  }
  return false;
}

void GroupLaw::judge_paths(TimePoint now) {
  for (Share& s : shares_) {
    const Verdicts v = judge(objectives_, standing(s));
    s.meets = !v.breaks && (s.meets || v.meets);
    if (v.breaks || !v.meets) s.fit.reset();
    if (v.meets && !s.fit) s.fit = now;
  }
}

void GroupLaw::limit_unfit(double epochs) {
  for (Share& s : shares_)
    if (s.usable && judge(objectives_, standing(s)).breaks) lower(s, epochs, Reason::objective);
}

void GroupLaw::lower(Share& s, double epochs, Reason reason) {
  if (s.objective_limit <= floor_of(s)) return;
  const bool first = s.objective_limit >= 1;
  s.objective_limit = std::max(floor_of(s), std::min(s.objective_limit, s.weight) - kFall * epochs);
  trigger({reason, s.nexthop->id(), explain(objectives_, standing(s)), first});
}

void GroupLaw::return_fit(double epochs, TimePoint now) {
  for (Share& s : shares_) {
    if (s.objective_limit >= 1 || !s.fit || now - *s.fit < kFit) continue;
    s.objective_limit += kReturn * epochs;
    if (s.objective_limit >= std::max(s.wanted, s.kernel)) s.objective_limit = 1;
    trigger({Reason::ramp, s.nexthop->id(),
             format("objectives_met_s=%.0f limit=%.3f", seconds(now - *s.fit), s.objective_limit),
             false});
  }
}

void GroupLaw::heed_unmet(double epochs) {
  const Share* nearest = nullptr;
  double least = 0;
  for (const Share& s : shares_) {
    const double distance = judge(objectives_, standing(s)).distance;
    if (!s.usable || (nearest && distance >= least)) continue;
    nearest = &s;
    least = distance;
  }
  if (!unmet_) {
    unmet_ = true;
    if (objectives_.unmet == Unmet::routing) follow_routing();
    trigger({Reason::objective_unmet, nearest->nexthop->id(),
             explain(objectives_, standing(*nearest)) +
                 (objectives_.unmet == Unmet::best ? " nearest" : " routing"),
             true});
  }
  if (objectives_.unmet == Unmet::routing) return;
  for (Share& s : shares_) {
    const double distance = judge(objectives_, standing(s)).distance;
    const double nearer = kNearer * std::max(1.0, least);  // far off, of the distance itself
    if (distance > least + nearer) {
      lower(s, epochs, Reason::objective_unmet);
    } else if (s.objective_limit < 1 && distance <= least + nearer / 2) {
      s.objective_limit = std::min(1.0, s.objective_limit + kReturn * epochs);
      trigger({Reason::objective_unmet, s.nexthop->id(),
               explain(objectives_, standing(s)) + " nearest", false});
    }
  }
}

}  // namespace hopwise::engine
