// Candidates: paths that BGP told of and the kernel's route does not use.
//
// The operator has allowed them, so they are probed like any path; but routing did not choose them,
// so none carries anything by default. Routing's own share of one is 0, and so is its floor: the
// per cent that keeps live paths warm never goes there. It is *out* until one of these takes it in:
//
// - the slow law, when it is the cheapest and each path that carries is surely dearer by the dead
//   band (twice of that where traffic has just come from): with the floor's share, and then by the
//   law's steps (group_epoch.cpp);
// - a fault of every path that carries: all silent or cut, or the one in fault has no better path
//   than a candidate. Then it has what the fault takes from them, at once, and what the law wants
//   of it is 0: it is over when the fault is;
// - objectives that every path breaks and a candidate surely meets, likewise.
//
// In any case it must be up, not in probation, not damped by its flaps, answering, with as many
// samples as the slow law asks for, and break no objective. Once in it is one of the paths: limits,
// ramp, caps and relief are theirs. Let go it is when the law has brought it to the floor and it is
// still dearer, when shares have drifted back to routing's, when its need is over, and when
// routing's own weights are to rule (hold, revert, objectives that nothing meets): flows that run
// there may end there, while it lives. When the operator or BGP withholds it, at once and wholly.
#include <algorithm>

#include "core/engine/group_law.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr double kJudgedSamples = 50;  // as the slow law asks for

}  // namespace

bool GroupLaw::may_enter(const Share& s, TimePoint now) const {
  TrackedNexthop& n = *s.nexthop;
  return s.out() && !withheld(s) && n.reachable() && n.probed() && n.state() == PathState::up &&
         n.answering() && !n.suppressed(now) && n.reading() &&
         n.reading()->samples >= kJudgedSamples && !judge(objectives_, standing(s)).breaks;
}

bool GroupLaw::withheld(const Share& s) const {
  return terms_ && std::find(terms_->withheld.begin(), terms_->withheld.end(), s.path.nexthop) !=
                       terms_->withheld.end();
}

void GroupLaw::judge_candidates(TimePoint now) {
  for (Share& s : shares_) {
    if (!s.candidate()) continue;
    if (s.entered && withheld(s)) {
      let_go(s, "withheld");
    } else if (s.entered && s.wanted <= kTiny && s.weight < kHalfBucket && !changed_) {
      let_go(s, "idle");
    }
    const bool flows = demand_.carried_bit_s(index(s)) >= Demand::kLeast_bit_s;
    const bool stays =
        flows && !withheld(s) && s.nexthop->reachable() && s.nexthop->state() != PathState::down;
    if (s.lingers && !stays) {
      s.lingers = false;
      trigger({Reason::candidate, s.nexthop->id(), "closed", true});
    }
    s.ready = may_enter(s, now);
  }
}

/// The cheapest that may be taken in.
GroupLaw::Share* GroupLaw::best_ready() {
  Share* best = nullptr;
  for (Share& s : shares_)
    if (s.ready && (!best || alarm_cost(*s.nexthop->reading(), policy()) <
                                 alarm_cost(*best->nexthop->reading(), policy())))
      best = &s;
  return best;
}

void GroupLaw::take_in(Share& s, double wanted) {
  for (Share& o : shares_) o.wanted *= 1 - wanted;
  s.wanted = wanted;
  s.entered = s.usable = true;
  s.ready = s.lingers = false;
  s.objective_limit = 1;
  set_limit(s, 1);
}

void GroupLaw::let_go(Share& s, const std::string& evidence) {
  const double others = 1 - s.wanted;
  for (Share& o : shares_)
    if (&o != &s) o.wanted = others > kTiny ? o.wanted / others : o.kernel;
  s.wanted = 0;
  s.lingers = s.usable;
  s.entered = s.usable = s.held = s.loaded = false;
  s.relief.reset();
  s.yield.reset();
  set_limit(s, 1);
  trigger({Reason::candidate, s.nexthop->id(), "out " + evidence, true});
}

}  // namespace hopwise::engine
