// Faults of delay and loss: when a degraded path is left, and when that only moves the trouble.
//
// Load makes delay and loss, and we move load. So our own doing comes first: a path whose share we
// had raised goes back to routing's own, and only what stays bad then is left. A delay that came
// faster than a raise can fill a queue (onset.hpp) is left at once; one that came as a queue does,
// where what the paths carry is known, is answered in proportion (group_yield.cpp). And a path is
// not left for one that was itself just left, or that the load it was just given made bad: after
// such a bounce the group keeps routing's own weights for a while.
#include <algorithm>
#include <functional>

#include "core/engine/group_law.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr Duration kTogether = std::chrono::seconds(2);
// How long a fault waits for the other paths to prove that they do not share it.
constexpr Duration kDoubt = std::chrono::milliseconds(500);
constexpr Duration kLongDoubt = std::chrono::seconds(3);
constexpr Duration kTogetherLoss = std::chrono::seconds(6);  // loss shows slowly
constexpr Duration kJustLeft = std::chrono::seconds(30);
constexpr Duration kJustGiven = std::chrono::seconds(10);
constexpr Duration kJustRaised = std::chrono::seconds(60);
constexpr Duration kFlowsEnd = std::chrono::seconds(30);

}  // namespace

// The worst first: what it leaves to the others counts when they are judged.
void GroupLaw::judge_degraded(TimePoint now) {
  Arena arena;
  auto fallen = row<Share*>(arena, shares_.size());
  for (Share& s : shares_)
    if (s.usable && s.nexthop->state() == PathState::degraded) fallen.push_back(&s);
  const auto alarm = [&](const Share* s) {
    return s->nexthop->reading() ? alarm_cost(*s->nexthop->reading(), policy()) : 0;
  };
  std::ranges::sort(fallen, std::greater<>(), alarm);
  for (Share* s : fallen)
    if (s->limit > floor_of(*s) && s->limit > least_share(*s) + (s->limited() ? kRaise : 0))
      judge_one(*s, now);
}

void GroupLaw::judge_one(Share& s, TimePoint now) {
  const bool together = all_fell_together();
  const Share* better = together ? nullptr : better_than(s);
  if (!better) {
    if (!s.limited() && !s.relief && (together || !others_in_doubt(s, now))) hold(s);
    return;
  }
  s.loaded = load_explains(s, now);
  const TrackedNexthop& other = *better->nexthop;
  const bool proven =
      other.state() == PathState::degraded || other.well_since(s.nexthop->fault_sent());
  const Duration fallen = now - s.nexthop->health().fell_at();
  if (!proven && fallen < kDoubt) return;
  if (gives_way(s, now) || s.loaded) return;
  // Loss shows slowly: the other may be about to show the same.
  if (s.nexthop->fell_by_loss() && other.state() != PathState::degraded && other.loss_in_doubt() &&
      fallen < kTogetherLoss)
    return;
  if (s.relief) s.relief->note(s.nexthop->reading()->queue_ms());
  if (s.relief ? !s.nexthop->persists(*s.relief, now) : !s.yield && take_back(s, now)) return;
  if (const Share* untried = better_than(s, now))
    leave(s, shares_[index(*untried)], now);
  else if (s.could_bit_s && !s.nexthop->fell_by_loss())
    hold(s);  // where loads are known the slow law knows better than routing
  else
    begin_hold(s, *better, now);
}

// A queue on a nexthop that was nearly full of our own traffic is no fault: the slow law, which
// sees it too, takes as much away as there is too much. What remains when the load has gone, or
// after flows have had the time to end, is judged as ever.
bool GroupLaw::load_explains(const Share& s, TimePoint now) const {
  const BookedLoad& load = s.nexthop->load;
  if (!s.could_bit_s || s.nexthop->onset(now) == Onset::at_once) return false;
  // Losses are counted over a while, and show when the load may have gone.
  if (s.nexthop->fell_by_loss() && load.full_within(options_->loss_window)) return true;
  const auto full = [&](double ours) {
    const double all = ours + load.background_bit_s;
    // What many see for a moment, few large flows make of a lower load.
    return ours >= all / 2 && all > 0 && load.fills(all, *s.could_bit_s, 3);
  };
  return full(load.carried_bit_s) ||
         (full(load.predicted_bit_s) && now - s.nexthop->health().fell_at() < kFlowsEnd);
}

// Could our raise have made the fault at all? Not one that came at once, nor where the load is
// known, well below the capacity, and no more than was lately carried cleanly.
bool GroupLaw::load_could(const Share& s, TimePoint now) const {
  const Carrier& carrier = s.nexthop->carrier;
  if (s.nexthop->onset(now) == Onset::at_once) return false;
  return s.nexthop->fell_by_loss() || !carrier.view(now).load_bit_s || carrier.may_queue(now) ||
         (s.raised && now - *s.raised < kJustRaised);
}

// What the others have no room for stays: a slow path is better than a full one.
double GroupLaw::least_share(const Share& s) const {
  const double least = floor_of(s);
  const auto takes = [&](const Share& o) {
    return &o != &s && o.usable && !o.limited() && !in_fault(o.nexthop->state());
  };
  const bool others = std::any_of(shares_.begin(), shares_.end(), takes);
  double room = 0;
  for (const Share& o : shares_)
    if (takes(o) || (!others && o.ready)) room += std::max(0.0, room_of(o) - o.weight);
  return std::clamp(s.weight - room, least, std::max(least, s.weight));
}

// What the slow law had raised goes back to those that lack it, once it is clear that the raise may
// have done it. False: there is nothing to take.
bool GroupLaw::take_back(Share& s, TimePoint now) {
  double kernel = 0;
  double wanted = 0;
  for (const Share& o : shares_) {
    if (!o.usable) continue;
    kernel += o.kernel;
    wanted += o.wanted;
  }
  const auto routed = [&](const Share& o) { return o.kernel / kernel * wanted; };
  const auto lack = [&](const Share& o) {
    return o.usable && &o != &s ? std::max(0.0, routed(o) - o.wanted) : 0;
  };
  double lacking = 0;
  for (const Share& o : shares_) lacking += lack(o);
  const double raise = s.wanted - routed(s);
  if (raise < kRaise || lacking <= 0 || !load_could(s, now)) return false;

  if (s.nexthop->onset(now) == Onset::unsure) return true;
  const std::vector<Share> before = shares_;
  for (Share& o : shares_) o.wanted += std::min(raise / lacking, 1.0) * lack(o);
  s.wanted = routed(s);
  const double weight = weights()[static_cast<std::size_t>(&s - shares_.data())];
  if (s.weight - weight < kRaise) {  // it is a fault of others that put the load here
    shares_ = before;
    return false;
  }
  s.cap.cut(std::min(s.wanted + raise, s.weight), s.wanted, now);
  s.relief = Relief{now, s.nexthop->reading()->queue_ms()};
  s.left = now;
  const std::string text = format(" own_raise=%.3f cap=%.3f", raise, s.cap.at(now));
  trigger({Reason::path_degraded, s.nexthop->id(), s.nexthop->evidence() + text, true});
  return true;
}

// One that its own ramp made bad again, or that goes bad at its cap, bears less than routing's
// share: it shall return to less.
void GroupLaw::leave(Share& s, Share& better, TimePoint now) {
  if (better.out()) take_in(better, 0);
  const bool at_once = s.nexthop->onset(now) == Onset::at_once;
  const bool at_cap = s.cap.at(now) < s.kernel && s.wanted > s.cap.at(now) - kRaise;
  if (!at_once && (at_cap || (s.ramped && now - *s.ramped < kJustGiven))) {
    s.cap.cut(std::min(s.wanted, s.weight), floor_of(s), now);
    std::vector<Share*> all;
    for (Share& o : shares_) all.push_back(&o);
    apply_caps(all, now);
  }
  const double least = least_share(s);
  set_limit(s, least);
  s.relief.reset();
  s.yield.reset();
  s.left = now;
  for (Share& o : shares_)
    if (&o != &s && o.usable && !o.limited()) o.given = now;
  std::string text = format(" better=%u better_rtt_ms=%.1f", raw(better.nexthop->id()),
                            better.nexthop->reading()->recent_ms);
  if (better.candidate()) text += " candidate";
  if (at_once) text += " at_once";
  if (least > floor_of(s)) text += format(" others_full stays=%.3f", least);
  trigger({Reason::path_degraded, s.nexthop->id(), s.nexthop->evidence() + text, true});
}

// Routing's own weights, limits lifted: nothing that we know is better than that.
void GroupLaw::begin_hold(const Share& s, const Share& better, TimePoint now) {
  overload_.begin(now);
  const double ago = seconds(now - better.left.value_or(better.given.value_or(now)));
  const std::string text =
      format(" back_to=%u moved_s_ago=%.1f bounces=%d hold_s=%.0f", raw(better.nexthop->id()), ago,
             overload_.bounces(), seconds(overload_.length()));
  trigger({Reason::overload_hold, s.nexthop->id(), s.nexthop->evidence() + text, true});
  follow_routing();
}

// True while some other path may yet turn out to share the fault of this one.
bool GroupLaw::others_in_doubt(const Share& s, TimePoint now) const {
  const Duration fallen = now - s.nexthop->health().fell_at();
  if (fallen >= kLongDoubt) return false;
  // Beyond that only while the others have not been heard either.
  const auto none = [](const Share& o) { return o.out() && !o.ready; };
  const auto hushed = [&](const Share& o) {
    return &o == &s || none(o) || !o.nexthop->reachable() ||
           o.nexthop->state() == PathState::down ||
           o.nexthop->hushed_since(s.nexthop->fault_sent());
  };
  if (fallen >= kDoubt && !std::all_of(shares_.begin(), shares_.end(), hushed)) return false;
  return std::none_of(shares_.begin(), shares_.end(), [&](const Share& o) {
    if (&o == &s || none(o) || !o.nexthop->reachable() || o.nexthop->state() == PathState::down)
      return false;
    return !o.nexthop->probed() || !o.nexthop->reading() ||
           o.nexthop->well_since(s.nexthop->fault_sent());
  });
}

bool GroupLaw::all_fell_together() const {
  int paths = 0;
  std::optional<TimePoint> first;
  std::optional<TimePoint> last;
  bool by_loss = true;
  for (const Share& s : shares_) {
    if (!s.nexthop->reachable()) continue;
    if (s.out() && !s.ready && !in_fault(s.nexthop->state())) continue;
    by_loss = by_loss && s.nexthop->fell_by_loss();
    if (!in_fault(s.nexthop->state())) return false;
    ++paths;
    const TimePoint at = s.nexthop->health().fell_at();
    first = std::min(first.value_or(at), at);
    last = std::max(last.value_or(at), at);
  }
  for (const Share& s : shares_)
    if (s.given && first && *s.given >= *first) return false;  // one fell, and pushed the other
  return paths > 1 && *last - *first <= (by_loss ? kTogetherLoss : kTogether);
}

const GroupLaw::Share* GroupLaw::better_than(const Share& s,
                                             std::optional<TimePoint> untried) const {
  const auto tried = [&](const Share& o) {
    return (o.left && *untried - *o.left < kJustLeft) ||
           (o.given && *untried - *o.given < kJustGiven && in_fault(o.nexthop->state()));
  };
  if (!s.nexthop->reading()) return nullptr;
  const Share* best = nullptr;
  double lowest = alarm_cost(*s.nexthop->reading(), policy());
  const auto consider = [&](const Share& o) {
    if (&o == &s || o.nexthop->state() == PathState::down) return;
    if (untried && tried(o)) return;
    if (o.nexthop->health().recovering() && !o.nexthop->answering()) return;  // says nothing yet
    const auto& reading = o.nexthop->reading();
    if (!reading ||
        alarm_cost(*reading, policy()) + alarm_band(*reading, policy(), *options_) >= lowest)
      return;
    best = &o;
    lowest = alarm_cost(*reading, policy()) + alarm_band(*reading, policy(), *options_);
  };
  for (const Share& o : shares_)
    if (o.usable) consider(o);
  if (best) return best;
  for (const Share& o : shares_)
    if (o.ready) consider(o);
  return best;
}

}  // namespace hopwise::engine
