#include "core/engine/tracked_nexthop.hpp"

#include <algorithm>
#include <cmath>

#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr double kSeldom = 4;     // times the gap of the most often asked anchor ...
constexpr double kSeldomGap = 1;  // ... and so many seconds
constexpr double kOwnDemand = 2;  // of the capacity, at the most
constexpr Duration kOnsetDoubt = std::chrono::milliseconds(500);
constexpr Duration kSurge = std::chrono::seconds(10);      // flows follow, and queues show it
constexpr Duration kLossDoubt = std::chrono::seconds(30);  // faster probing settles 5 % by then

bool in_fault(PathState state) {
  return state == PathState::degraded || state == PathState::down;
}

}  // namespace

void TrackedNexthop::set_anchors(std::span<const Anchor> anchors) {
  probed_.emplace(anchors.begin(), anchors.end());
  const auto dropped =
      std::erase_if(anchors_, [&](const auto& entry) { return !probed_->contains(entry.first); });
  std::erase_if(recalled_, [&](const auto& entry) { return !probed_->contains(entry.first); });
  dirty_ = dirty_ || dropped > 0;
}

NexthopMemory TrackedNexthop::memory(TimePoint now) const {
  NexthopMemory memory;
  for (const auto& [anchor, e] : anchors_)
    if (const auto base = e.base(now)) memory.bases.push_back({anchor, base->rtt_ms, base->age});
  for (const auto& [anchor, base] : recalled_)
    if (now - base.measured < options_->base_window)
      memory.bases.push_back({anchor, base.rtt_ms, now - base.measured});
  memory.penalty = health_.penalty(now, *options_);
  carrier.remember(memory, now);
  return memory;
}

// An anchor has no estimator before its first sample: one without samples would count as probed.
void TrackedNexthop::recall(const NexthopMemory& memory, TimePoint now) {
  for (const NexthopMemory::Base& base : memory.bases) {
    const bool possible = std::isfinite(base.rtt_ms) && base.rtt_ms > 0 &&
                          base.age >= Duration::zero() && base.age < options_->base_window;
    if (!possible || (probed_ && !probed_->contains(base.anchor))) continue;
    if (const auto found = anchors_.find(base.anchor); found != anchors_.end())
      found->second.recall({base.rtt_ms, base.age}, now);
    else if (recalled_.size() < kMaxAnchors)
      recalled_[base.anchor] = {base.rtt_ms, now - base.age};
  }
  health_.recall(memory.penalty, memory.penalty_age, now, *options_);
  carrier.recall(memory, now);
  dirty_ = true;
}

void TrackedNexthop::observe(const Sample& sample, std::set<Anchor>& answered) {
  if (probed_ && !probed_->contains(sample.anchor)) return;
  auto found = anchors_.find(sample.anchor);
  if (found == anchors_.end()) {
    if (anchors_.size() == kMaxAnchors) {
      anchors_.erase(std::min_element(anchors_.begin(), anchors_.end(), [](auto& a, auto& b) {
        return a.second.estimate().newest < b.second.estimate().newest;
      }));
    }
    found = anchors_.try_emplace(sample.anchor, *options_).first;
    if (const auto base = recalled_.extract(sample.anchor))
      found->second.recall({base.mapped().rtt_ms, sample.known - base.mapped().measured},
                           sample.known);
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
    evidence_ =
        format("link=%s neighbour=%s%s", event.link_up ? "up" : "down",
               event.neighbour_resolved ? "resolved" : "lost", event.bfd_down ? " bfd=down" : "");
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

void TrackedNexthop::accept_step(TimePoint now) {
  for (auto& [anchor, estimator] : anchors_) estimator.accept_step();
  stepped_ = now;
  dirty_ = true;
}

void TrackedNexthop::advance(TimePoint now, const std::set<Anchor>& answered,
                             const std::set<Anchor>& blamed) {
  if (blamed != blamed_) {
    dirty_ = true;
    blamed_ = blamed;
  }
  if (reading_ && !dirty_) {
    const Estimator* estimator = best(now);
    if (!estimator) reading_.reset();  // too old to act on
  }
  const bool released = health_.state() == PathState::probation && limited == 0;
  if (!dirty_ && !released) return;
  dirty_ = false;
  Arena arena;
  const auto all = judged(now, answered, arena);
  doubt_loss(all, now);
  if (reachable()) {
    const PathState before = health_.state();
    if (const auto state = health_.advance(signs(all), now, *options_)) {
      note_evidence(*state, all, now);
      onset_ = !in_fault(before) && *state == PathState::degraded && !fell_by_loss_
                   ? Onset::unsure
                   : Onset::gradual;
      if (!in_fault(before) && in_fault(*state))
        for (auto& [anchor, estimator] : anchors_) estimator.freeze();
      if (*state == PathState::probation)
        for (auto& [anchor, estimator] : anchors_) estimator.settle();
    }
  }
  note_onset(all, now);
  note_reading(all, now);
}

Row<TrackedNexthop::Judged> TrackedNexthop::judged(TimePoint now, const std::set<Anchor>& answered,
                                                   Arena& arena) const {
  auto all = row<Judged>(arena, anchors_.size());
  double least_gap = 1e9;
  for (const auto& [anchor, e] : anchors_) {
    if (e.stale(now) || !answered.contains(anchor) || blamed_.contains(anchor)) continue;
    Judged j{&e, false, e.silent(), e.stepped(), false};
    j.bad = j.silent || j.stepped || e.lossy();
    all.push_back(j);
    least_gap = std::min(least_gap, e.usual_gap());
  }
  for (Judged& j : all)
    j.seldom = j.estimator->usual_gap() > std::max(kSeldom * least_gap, kSeldomGap);
  return all;
}

Row<TrackedNexthop::Said> TrackedNexthop::verdicts(TimePoint now, const std::set<Anchor>& answered,
                                                   Arena& arena) const {
  auto all = row<Said>(arena, anchors_.size());
  for (const auto& [anchor, e] : anchors_) {
    Verdict verdict = Verdict::well;
    if (e.stale(now) || !answered.contains(anchor))
      verdict = Verdict::none;
    else if (e.silent() || e.stepped() || e.lossy())
      verdict = Verdict::bad;
    else if (e.suspicious() || e.answered() < options_->up_after)
      verdict = Verdict::unsure;
    all.push_back({&anchor, verdict});
  }
  return all;
}

// How many of so many must agree.
std::size_t TrackedNexthop::quorum(std::size_t anchors) const {
  if (anchors <= 2) return anchors;
  const double part = std::clamp(options_->quorum, 0.0, 1.0) * static_cast<double>(anchors);
  return std::min(anchors, static_cast<std::size_t>(part) + 1);
}

// An anchor that is asked seldom adds little, and would only delay the others' quorum. One that is
// silent agrees, and its losses say no more than that.
std::optional<PooledLoss> TrackedNexthop::pooled_loss(std::span<const Judged> judged) const {
  Arena arena;
  auto tests = row<const LossTest*>(arena, judged.size());
  std::size_t silent = 0;
  for (const Judged& j : judged) {
    if (j.seldom) continue;
    silent += j.silent;
    if (!j.silent) tests.push_back(&j.estimator->loss_test());
  }
  const std::size_t agree = quorum(tests.size() + silent);
  return pool(tests, agree > silent ? agree - silent : 1, options_->degraded_loss);
}

bool TrackedNexthop::alarming(std::span<const Judged> judged) const {
  const auto pooled = pooled_loss(judged);
  double rate = 0;
  for (const Judged& j : judged)
    if (!j.seldom) rate += j.estimator->rate();
  return pooled &&
         pooled->value > alarm_threshold(rate, LossTest::kAlarms, options_->false_alarm_every);
}

Signs TrackedNexthop::signs(std::span<const Judged> judged) const {
  Signs s;
  judge_fall(judged, s);
  judge_rise(judged, s);
  s.ramping = limited > 0;
  return s;
}

// Those asked seldom have a say only where they too are bad, or were well since the others turned.
void TrackedNexthop::judge_fall(std::span<const Judged> judged, Signs& s) const {
  TimePoint silence;
  TimePoint trouble;
  for (const Judged& j : judged) {
    if (j.silent) silence = std::max(silence, j.estimator->trouble_since());
    if (j.bad) trouble = std::max(trouble, j.estimator->trouble_since());
  }
  std::size_t asked_silent = 0, asked_bad = 0, silent = 0, stepped = 0, bad = 0;
  for (const Judged& j : judged) {
    const Estimator& e = *j.estimator;
    asked_silent += !j.seldom || j.silent || e.newest_heard_sent() >= silence;
    asked_bad += !j.seldom || j.bad || e.newest_good_sent() >= trouble;
    silent += j.silent;
    stepped += j.silent || j.stepped;
    bad += j.bad;
  }
  s.silent = silent > 0 && silent >= quorum(asked_silent);
  s.worse = !s.silent && ((bad > 0 && bad >= quorum(asked_bad)) || alarming(judged));
  s.stepped = s.worse && stepped > 0 && stepped >= quorum(asked_bad);
}

// Back when the others are no quorum; those asked seldom count where they answer.
void TrackedNexthop::judge_rise(std::span<const Judged> judged, Signs& s) const {
  std::size_t asked = 0, answering = 0, settled = 0, recalled = 0;
  for (const Judged& j : judged) {
    const Estimator& e = *j.estimator;
    const bool answers = e.answered() >= options_->up_after && e.newest_heard_sent() >= fault_sent_;
    asked += !j.seldom || answers;
    answering += answers;
    settled += answers && e.good() >= options_->up_after && e.calm();
    recalled += e.newest_late_sent() >= fault_sent_ && e.silent_probes() == 0;
  }
  if (asked == 0) return;
  const std::size_t enough = asked - quorum(asked) + 1;
  s.answering = answering >= enough;
  s.settled = settled >= enough;
  s.recalled = recalled >= enough;
}

void TrackedNexthop::doubt_loss(std::span<const Judged> judged, TimePoint now) {
  double value = 0;
  for (const Judged& j : judged)
    for (const LossTest::Sum& sum : j.estimator->loss_test().sums())
      value = std::max(value, sum.value);
  if (const auto pooled = pooled_loss(judged)) value = std::max(value, pooled->value);
  if (value >= kSuspicion && !loss_doubt_) loss_doubt_ = now;
  if (value < kSuspicion / 2) loss_doubt_.reset();
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

bool TrackedNexthop::hushed_since(TimePoint since) const {
  bool lost = false;
  for (const auto& [anchor, e] : anchors_) {
    if (!e.heard() || blamed_.contains(anchor)) continue;
    if (e.newest_heard_sent() >= since) return false;
    lost = lost || e.silent_probes() > 0;
  }
  return lost;
}

const Estimator* TrackedNexthop::best(TimePoint now) const {
  struct Rank {
    bool silent = false;
    double cost = 0;
    const Estimator* estimator = nullptr;
  };
  Arena arena;
  auto ranks = row<Rank>(arena, anchors_.size());
  for (const auto& [anchor, e] : anchors_) {
    if (e.stale(now) || blamed_.contains(anchor)) continue;
    if (const auto reading = e.reading())
      ranks.push_back({e.silent(), alarm_cost(*reading, options_->policy), &e});
  }
  if (ranks.empty()) return nullptr;
  // By insertion: of equals the first anchor comes first, and there are at most kMaxAnchors.
  const auto before = [](const Rank& a, const Rank& b) {
    return std::tie(a.silent, a.cost) < std::tie(b.silent, b.cost);
  };
  for (auto next = ranks.begin(); next != ranks.end(); ++next)
    std::rotate(std::upper_bound(ranks.begin(), next, *next, before), next, next + 1);
  const std::size_t rank = in_fault(health_.state()) ? ranks.size() - quorum(ranks.size()) : 0;
  return ranks[rank].estimator;
}

const Estimator* TrackedNexthop::most_silent() const {
  const Estimator* chosen = nullptr;
  for (const auto& [anchor, e] : anchors_)
    if (!blamed_.contains(anchor) && (!chosen || e.silent_probes() > chosen->silent_probes()))
      chosen = &e;
  return chosen;
}

void TrackedNexthop::note_reading(std::span<const Judged> judged, TimePoint now) {
  const Estimator* estimator = best(now);
  reading_ = estimator ? estimator->reading() : std::nullopt;
  const LossCount count = estimator ? estimator->losses() : LossCount{};
  loss_ = count.sent > 0 ? static_cast<double>(count.lost) / count.sent : loss_;
  // The pool knows of loss before any one anchor does.
  if (reading_ && fell_by_loss_ && in_fault(health_.state()) && alarming(judged)) {
    const auto loss = pooled_loss(judged);
    reading_->alarm_loss =
        std::max(reading_->alarm_loss, wilson(loss->lost, loss->sent, 1.96).lower);
  }
}

// Decided while the fault is young, and then for all of it.
void TrackedNexthop::note_onset(std::span<const Judged> judged, TimePoint now) {
  if (onset(now) != Onset::unsure) return;
  if (surged && now - *surged < kSurge) {
    onset_ = Onset::gradual;
    return;
  }
  Arena arena;
  auto climbs = row<Climb>(arena, judged.size());
  for (const Judged& j : judged)
    if (const auto climb = j.seldom ? std::nullopt : j.estimator->climb()) climbs.push_back(*climb);
  const double ours = load.ours_bit_s() + load.background_bit_s;
  const double over = load.capacity_bit_s.value_or(0) > 0 ? ours / *load.capacity_bit_s - 1 : 0;
  // Seconds a second, of a queue: two steps of the slow law, or one of the ramp.
  const double raise = kOwnDemand * std::max(options_->ramp_step, 2 * options_->max_step);
  onset_ = weigh(climbs, raise + std::max(0.0, over));
}

Onset TrackedNexthop::onset(TimePoint now) const {
  if (health_.state() != PathState::degraded) return Onset::gradual;
  const bool late = onset_ == Onset::unsure && now - health_.fell_at() >= kOnsetDoubt;
  return late ? Onset::gradual : onset_;
}

void TrackedNexthop::note_evidence(PathState state, std::span<const Judged> judged, TimePoint now) {
  const Estimator* e = state == PathState::down ? most_silent() : best(now);
  if (!e && anchors_.empty()) return;
  if (!e) e = &anchors_.begin()->second;  // it never answered here, only elsewhere
  const Reading reading = e->reading().value_or(Reading{});
  const bool loss_alone =
      std::none_of(judged.begin(), judged.end(), [](const Judged& j) { return j.stepped; });
  fell_by_loss_ = state == PathState::degraded && loss_alone;
  switch (state) {
    case PathState::down:
      fault_sent_ = e->trouble_since();
      evidence_ = format("silent=%u for_ms=%.0f anchors=%zu", e->silent_probes(),
                         milliseconds(now - fault_sent_), anchors_.size());
      break;
    case PathState::degraded:
      fault_sent_ = e->trouble_since();
      evidence_ = fell_by_loss_ ? loss_evidence(*e, judged)
                                : format("rtt_ms=%.1f base_ms=%.1f samples=5", reading.recent_ms,
                                         reading.base_ms);
      break;
    case PathState::probation:
    case PathState::up:
      evidence_ = format("replies=%u rtt_ms=%.1f base_ms=%.1f", e->answered(), reading.recent_ms,
                         reading.base_ms);
      break;
  }
  if (!blamed_.empty()) evidence_ += format(" blamed_anchors=%zu", blamed_.size());
}

std::string TrackedNexthop::loss_evidence(const Estimator& shown,
                                          std::span<const Judged> judged) const {
  LossCount count = shown.losses();
  if (const auto pooled = pooled_loss(judged); pooled && alarming(judged))
    count = {pooled->lost, 0, pooled->sent};
  std::string text = format("lost=%u of=%u loss_lower=%.3f", count.lost, count.sent,
                            wilson(count.lost, count.sent, 1.96).lower);
  if (const auto flow = shown.loss_test().losing_flow()) text += format(" only_flow=%u", *flow);
  return text;
}

// What a quorum of anchors sees at least.
std::optional<Duration> TrackedNexthop::shift() const {
  Arena arena;
  auto shifts = row<double>(arena, anchors_.size());
  std::size_t asked = 0;
  for (const auto& [anchor, e] : anchors_) {
    if (!e.heard() || blamed_.contains(anchor)) continue;
    ++asked;
    if (const auto ms = e.shift()) shifts.push_back(*ms);
  }
  const std::size_t agree = quorum(asked);
  if (agree == 0 || shifts.size() < agree) return std::nullopt;
  std::sort(shifts.begin(), shifts.end(), std::greater<>());
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::milli>(shifts[agree - 1]));
}

// Faster probing settles a doubt; it is no use while the fault is known, or lasts for ever.
bool TrackedNexthop::suspicious(TimePoint now) const {
  if (in_fault(health_.state())) return false;
  return (escaped_ && now - *escaped_ < kDoubt) ||
         (loss_doubt_ && now - *loss_doubt_ < kLossDoubt) ||
         std::any_of(anchors_.begin(), anchors_.end(), [&](const auto& a) {
           return a.second.suspicious() && now - a.second.trouble_since() < kDoubt;
         });
}

NexthopView TrackedNexthop::view(TimePoint now) const {
  NexthopView v;
  v.state = health_.state();
  v.penalty = health_.penalty(now, *options_);
  v.suspicious = suspicious(now);
  const Estimator* shown = best(now);
  for (const auto& [anchor, e] : anchors_) {
    if (!shown) shown = &e;
    if (blamed_.contains(anchor)) v.blamed.push_back(anchor);
  }
  v.shift = shift();
  if (shown) v.estimate = shown->estimate();
  return v;
}

}  // namespace hopwise::engine
