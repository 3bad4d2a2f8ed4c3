#include "core/engine/tracked_nexthop.hpp"

#include <algorithm>

#include "core/model/format.hpp"

namespace hopwise::engine {

void TrackedNexthop::observe(const Sample& sample, std::set<Anchor>& answered) {
  auto found = anchors_.find(sample.anchor);
  if (found == anchors_.end()) {
    if (anchors_.size() == kMaxAnchors) {  // anchors that the configuration dropped
      anchors_.erase(std::min_element(anchors_.begin(), anchors_.end(), [](auto& a, auto& b) {
        return a.second.estimate().newest < b.second.estimate().newest;
      }));
    }
    found = anchors_.try_emplace(sample.anchor, *options_).first;
  }
  if (!found->second.observe(sample)) return;
  if (sample.outcome != Outcome::lost) answered.insert(sample.anchor);
  dirty_ = true;
}

void TrackedNexthop::observe(const NexthopEvent& event, TimePoint now) {
  const bool was = reachable();
  const bool known = event_.has_value() || probed();  // else it is only not usable yet
  event_ = event;
  if (was && !reachable()) {
    evidence_ = format("link=%s neighbour=%s", event.link_up ? "up" : "down",
                       event.neighbour_resolved ? "resolved" : "lost");
    if (known) health_.cut(now, *options_);
  } else if (!was && reachable()) {
    evidence_ = "link=up neighbour=resolved";
    for (auto& [anchor, estimator] : anchors_) {
      estimator.forget_streaks();
      estimator.settle();
    }
    health_.restore();
  }
  dirty_ = true;
}

void TrackedNexthop::reconfigure(const Options& options) {
  options_ = &options;
  for (auto& [anchor, estimator] : anchors_) estimator.reconfigure(options);
}

void TrackedNexthop::advance(TimePoint now, const std::set<Anchor>& answered) {
  if (reading_ && !dirty_) {
    const Estimator* estimator = best(now);
    if (!estimator) reading_.reset();  // too old to act on
  }
  const bool released = health_.state() == PathState::probation && limited == 0;
  if (!dirty_ && !released) return;
  dirty_ = false;
  if (reachable()) {
    const PathState before = health_.state();
    if (const auto state = health_.advance(signs(now, answered), now, *options_)) {
      note_evidence(*state, now);
      const bool stood = before == PathState::up || before == PathState::probation;
      if (stood && (*state == PathState::degraded || *state == PathState::down))
        for (auto& [anchor, estimator] : anchors_) estimator.freeze();
      if (*state == PathState::probation)
        for (auto& [anchor, estimator] : anchors_) estimator.settle();
    }
  }
  const Estimator* estimator = best(now);
  reading_ = estimator ? estimator->reading() : std::nullopt;
}

Signs TrackedNexthop::signs(TimePoint now, const std::set<Anchor>& answered) const {
  Signs s;
  int judged = 0;
  int silent = 0;
  int stepped = 0;
  int worse = 0;
  for (const auto& [anchor, e] : anchors_) {
    if (e.stale(now) || !answered.contains(anchor)) continue;
    ++judged;
    const bool is_silent = e.silent();
    const bool is_stepped = e.stepped();
    silent += is_silent;
    stepped += is_silent || is_stepped;
    worse += is_silent || is_stepped || e.lossy();
    const bool is_answering = e.answered() >= options_->up_after;
    s.answering = s.answering || is_answering;
    s.settled = s.settled || (e.good() >= options_->up_after && is_answering && e.calm());
    s.recalled = s.recalled || (e.newest_late_sent() >= fault_sent_ && e.silent_probes() == 0);
  }
  s.silent = judged > 0 && silent == judged;
  s.worse = judged > 0 && worse == judged && !s.silent;
  s.stepped = s.worse && stepped == judged;
  s.ramping = limited > 0;
  return s;
}

bool TrackedNexthop::answering() const {
  return std::any_of(anchors_.begin(), anchors_.end(),
                     [&](const auto& a) { return a.second.answered() >= options_->up_after; });
}

bool TrackedNexthop::well_since(TimePoint since) const {
  return std::any_of(anchors_.begin(), anchors_.end(), [&](const auto& a) {
    return a.second.heard() && a.second.newest_good_sent() >= since;
  });
}

bool TrackedNexthop::persists(const Relief& relief, TimePoint now) const {
  const Estimator* e = best(now);
  return e && (e->lossy_since(relief.drained()) ||
               (e->stepped() && relief.vain(e->queue_since(relief.drained()), now)));
}

// The cheapest anchor that is alive; with none alive, the cheapest.
const Estimator* TrackedNexthop::best(TimePoint now) const {
  const Estimator* chosen = nullptr;
  std::pair<bool, double> lowest;
  for (const auto& [anchor, e] : anchors_) {
    if (e.stale(now)) continue;
    const auto reading = e.reading();
    if (!reading) continue;
    const std::pair rank{e.silent(), alarm_cost(*reading, *options_)};
    if (!chosen || rank < lowest) {
      chosen = &e;
      lowest = rank;
    }
  }
  return chosen;
}

void TrackedNexthop::note_evidence(PathState state, TimePoint now) {
  const Estimator* e = best(now);
  if (!e && anchors_.empty()) return;
  if (!e) e = &anchors_.begin()->second;  // it never answered here, only elsewhere
  const LossCount losses = e->losses();
  const Reading reading = e->reading().value_or(Reading{});
  switch (state) {
    case PathState::down:
      fault_sent_ = e->trouble_since();
      evidence_ = format("silent=%u for_ms=%.0f anchors=%zu", e->silent_probes(),
                         milliseconds(now - fault_sent_), anchors_.size());
      break;
    case PathState::degraded:
      fault_sent_ = e->trouble_since();
      if (e->lossy() && !e->stepped())
        evidence_ = format("lost=%u of=%u loss_lower=%.3f", losses.lost, losses.sent,
                           wilson(losses.lost, losses.sent, 1.96).lower);
      else
        evidence_ =
            format("rtt_ms=%.1f base_ms=%.1f samples=5", reading.recent_ms, reading.base_ms);
      break;
    case PathState::probation:
    case PathState::up:
      evidence_ = format("replies=%u rtt_ms=%.1f base_ms=%.1f", e->answered(), reading.recent_ms,
                         reading.base_ms);
      break;
  }
}

NexthopView TrackedNexthop::view(TimePoint now) const {
  NexthopView v;
  v.state = health_.state();
  v.penalty = health_.penalty(now, *options_);
  // Faster probing settles a doubt; it is no use while the fault is known, or lasts for ever.
  const bool in_doubt = v.state == PathState::up || v.state == PathState::probation;
  v.suspicious = in_doubt && escaped_ && now - *escaped_ < kDoubt;
  const Estimator* shown = best(now);
  for (const auto& [anchor, e] : anchors_) {
    if (!shown) shown = &e;
    v.suspicious = v.suspicious || (in_doubt && e.suspicious() && now - e.trouble_since() < kDoubt);
  }
  if (shown) v.estimate = shown->estimate();
  return v;
}

}  // namespace hopwise::engine
