#include "core/engine/estimator.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr double kZ95 = 1.96;
constexpr double kZ99 = 2.58;
constexpr Duration kAbsurdRtt = std::chrono::minutes(1);
constexpr Duration kLongAgo = std::chrono::minutes(2);  // no prober waits so long for an outcome
constexpr Duration kReorder = std::chrono::seconds(1);  // sockets and timers tell in any order
constexpr std::uint32_t kJudgedProbes = 30;             // fewer say nothing certain about loss
constexpr std::uint64_t kJudgedReplies = 15;            // fewer do not tell what delay is normal
constexpr std::uint32_t kWell = 10;  // answered in a row: the pace is the usual one
constexpr Duration kFlowSeen = std::chrono::seconds(10);     // a pinned flow's RTT counts so long
constexpr Duration kBurst = std::chrono::milliseconds(100);  // what loses all that long is no hole
constexpr double kNextProbeMs = 20;                          // at a pace where that matters
constexpr double kWavers = 2;                                // mean deviations
constexpr double kChance = 1e-6;  // silence this improbable under the path's own loss is a fault

double alpha(Duration gap, Duration tau, std::uint64_t n) {
  return std::max(1 - std::exp(-seconds(gap) / seconds(tau)), 1.0 / static_cast<double>(n));
}

LossCount sum(const SlotRing<LossCount>& ring) {
  LossCount total;
  for (const LossCount& slot : ring.slots()) {
    total.lost += slot.lost;
    total.missed += slot.missed;
    total.sent += slot.sent;
    total.spells += std::min(slot.spells, slot.lost);
  }
  return total;
}

// What has one cause counts once.
LossCount thinned(LossCount count) {
  count.sent -= count.lost - count.spells;
  count.lost = count.spells;
  return count;
}

double certain_loss(LossCount count, double z) {
  return count.sent < kJudgedProbes ? 0 : wilson(count.lost, count.sent, z).lower;
}

}  // namespace

Interval wilson(double hits, double trials, double z) {
  if (trials <= 0) return {};
  const double p = std::clamp(hits / trials, 0.0, 1.0);
  const double zz = z * z / trials;
  const double centre = (p + zz / 2) / (1 + zz);
  const double half = std::sqrt(p * (1 - p) * zz + zz * zz / 4) / (1 + zz);
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Estimator::Estimator(const Options& options)
    : options_(&options),
      loss_(options.loss_window),
      score_loss_(options.score_loss_window),
      base_(options.base_window),
      loss_test_(options),
      delay_test_(options) {}

void Estimator::reconfigure(const Options& options) {
  conclusions_.reset();
  options_ = &options;
  const double base = base_ms();
  loss_ = SlotRing<LossCount>(options.loss_window);
  score_loss_ = SlotRing<LossCount>(options.score_loss_window);
  base_ = SlotRing<std::optional<double>>(options.base_window);
  if (replies_ > 0 && newest_) *base_.find(*newest_) = base;
  loss_test_.reconfigure(options);
  delay_test_.reconfigure(options);
}

bool Estimator::observe(const Sample& sample) {
  if (sample.known < sample.sent || sample.sent.time_since_epoch().count() < 0) return false;
  if (sample.known - sample.sent > kLongAgo) return false;
  const bool measured = sample.outcome != Outcome::lost;
  if (measured && (sample.rtt <= Duration::zero() || sample.rtt > kAbsurdRtt)) return false;
  if (newest_ && sample.known < *newest_ - kReorder) return false;

  const TimePoint known = newest_ ? std::max(*newest_, sample.known) : sample.known;
  conclusions_.reset();
  pace(known);
  switch (sample.outcome) {
    case Outcome::lost:
      count(sample.sent, 1);
      loss_test_.lost(sample.sent, sample.flow);
      onset_.lost(sample.sent, known - sample.sent);
      answered_ = good_ = 0;
      if (heard_ && sample.sent < *heard_) break;
      if (silent_++ == 0) silent_since_ = sample.sent;
      break;
    case Outcome::late:
      take_back(sample.sent);
      loss_test_.take_back(sample.sent);
      onset_.take_back(sample.sent);
      measure(sample, known);
      answered_ = good_ = 0;
      newest_late_sent_ = std::max(newest_late_sent_, sample.sent);
      break;
    case Outcome::reply:
      count(sample.sent, 0);
      loss_test_.answered(sample.sent, sample.flow);
      ++answered_;
      measure(sample, known);
      break;
  }
  return true;
}

void Estimator::pace(TimePoint known) {
  if (newest_) {
    const double gap = std::min(seconds(known - *newest_), 10.0);
    gap_s_ = gap_s_ == 0 ? gap : gap_s_ + 0.1 * (gap - gap_s_);
    // One that is looked at closer for a while is not one that is asked more often.
    if (usual_gap_s_ == 0) usual_gap_s_ = gap;
    if (answered_ >= kWell)
      usual_gap_s_ += (gap > usual_gap_s_ ? 0.1 : 0.002) * (gap - usual_gap_s_);
  }
  newest_ = known;
}

void Estimator::count(TimePoint sent, std::uint32_t lost) {
  const bool spell = lost > 0 && !(spell_ && sent >= *spell_ && sent - *spell_ < kBurst);
  if (spell) spell_ = sent;
  for (auto* ring : {&loss_, &score_loss_}) {
    if (LossCount* slot = ring->find(sent)) {
      slot->lost += lost;
      slot->missed += lost;
      slot->spells += spell;
      ++slot->sent;
    }
  }
}

void Estimator::take_back(TimePoint sent) {
  for (auto* ring : {&loss_, &score_loss_}) {
    LossCount* slot = ring->find(sent);
    if (slot && slot->lost > 0) --slot->lost;
  }
}

void Estimator::measure(const Sample& sample, TimePoint known) {
  const double rtt_ms = milliseconds(sample.rtt);
  const double typical = typical_ms(sample, known);
  newest_heard_sent_ = std::max(newest_heard_sent_, sample.sent);
  const Duration gap = heard_ ? known - *heard_ : Duration::zero();
  heard_ = known;
  silent_ = 0;
  recent_[replies_++ % kRecent] = {rtt_ms, sample.sent};
  if (auto* slot = base_.find(known)) *slot = std::min(slot->value_or(rtt_ms), rtt_ms);
  base_step_.observe(rtt_ms, base_ms(), known);
  const double limit = step_limit();
  const bool judged = replies_ >= kJudgedReplies;
  high_ = judged && typical > limit;
  good_ = typical <= settle_limit() ? good_ + 1 : 0;
  delay_test_.observe(typical, known);
  const bool slow = judged && rtt_ms > limit;
  if (judged) onset_.observe(rtt_ms, slow, sample.sent);
  if (!slow && sample.outcome == Outcome::reply)
    newest_good_sent_ = std::max(newest_good_sent_, sample.sent);
  average(rtt_ms, gap);
}

// The lower median of the newest of each flow.
double Estimator::typical_ms(const Sample& sample, TimePoint known) {
  flows_[sample.flow % flows_.size()] = {milliseconds(sample.rtt), known};
  std::array<double, std::tuple_size_v<decltype(flows_)>> sorted{};
  std::size_t n = 0;
  for (const FlowRtt& flow : flows_)
    if (flow.known && known - *flow.known < kFlowSeen) sorted[n++] = flow.rtt_ms;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((n - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(n));
  return *middle;
}

void Estimator::average(double rtt_ms, Duration gap) {
  if (replies_ <= kRecent) {  // one odd first reply must not stand for the path
    fast_ms_ = slow_ms_ = median_recent();
    if (replies_ == kRecent)
      for (const Recent& r : recent_) jitter_ms_ += std::abs(r.rtt_ms - slow_ms_) / kRecent;
    return;
  }
  fast_ms_ += alpha(gap, options_->fast_tau, replies_) * (rtt_ms - fast_ms_);
  const double slow = alpha(gap, options_->slow_tau, replies_);
  const double clipped = std::min(rtt_ms, slow_ms_ + std::max(6 * jitter_ms_, 10.0));
  jitter_ms_ += slow * (std::abs(clipped - slow_ms_) - jitter_ms_);
  slow_ms_ += slow * (clipped - slow_ms_);
}

double Estimator::base_ms() const {
  std::optional<double> lowest;
  for (const auto& slot : base_.slots())
    if (slot) lowest = std::min(lowest.value_or(*slot), *slot);
  return lowest.value_or(slow_ms_);
}

std::optional<Estimator::Base> Estimator::base(TimePoint now) const {
  std::optional<Base> lowest;
  base_.each_at(now, [&](const std::optional<double>& slot, TimePoint began) {
    if (slot && (!lowest || *slot <= lowest->rtt_ms))
      lowest = {*slot, std::max(now - began, Duration::zero())};
  });
  return lowest;
}

// The clock may have begun anew since: what is older than the clock counts as of its beginning.
bool Estimator::recall(const Base& base, TimePoint now) {
  const bool possible = std::isfinite(base.rtt_ms) && base.rtt_ms > 0 &&
                        base.rtt_ms <= milliseconds(kAbsurdRtt) && base.age >= Duration::zero();
  if (!possible || base.age >= options_->base_window) return false;
  auto* slot = base_.find(std::max(now - base.age, TimePoint{}));
  if (!slot) return false;
  *slot = std::min(slot->value_or(base.rtt_ms), base.rtt_ms);
  conclusions_.reset();
  return true;
}

double Estimator::median_recent() const {
  std::array<double, kRecent> sorted{};
  const auto n = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(replies_, kRecent));
  std::transform(recent_.begin(), recent_.begin() + n, sorted.begin(),
                 [](const Recent& r) { return r.rtt_ms; });
  std::nth_element(sorted.begin(), sorted.begin() + n / 2, sorted.begin() + n);
  return sorted[static_cast<std::size_t>(n / 2)];
}

// A noisy path lies far above its own lowest RTT at all times: a step must also leave the noise.
double Estimator::normal_limit(double deviations) const {
  return normal_ ? normal_->rtt_ms + deviations * normal_->jitter_ms
                 : slow_ms_ + deviations * jitter_ms_;
}

double Estimator::step_limit() const {
  const double base = base_ms();
  const double step =
      std::max(milliseconds(options_->degraded_delay), options_->degraded_ratio * base);
  return std::max(base + step, normal_limit(5));
}

double Estimator::settle_limit() const {
  const double base = base_ms();
  const double step =
      std::max(milliseconds(options_->degraded_delay), options_->degraded_ratio * base);
  return std::max(base + step / 2, normal_limit(3));
}

void Estimator::freeze() {
  conclusions_.reset();
  if (!normal_) normal_ = {slow_ms_, jitter_ms_};
  loss_test_.learn(false);
}

void Estimator::settle() {
  conclusions_.reset();
  if (replies_ > 0) {
    const double now = median_recent();
    const bool as_before = normal_ && now <= normal_->rtt_ms + 3 * normal_->jitter_ms;
    fast_ms_ = now;
    slow_ms_ = as_before ? normal_->rtt_ms : now;
    if (normal_) jitter_ms_ = normal_->jitter_ms;
  }
  normal_.reset();
  loss_ = SlotRing<LossCount>(options_->loss_window);
  score_loss_ = SlotRing<LossCount>(options_->score_loss_window);
  loss_test_.clear();
  loss_test_.learn(true);
  delay_test_.clear();
  high_ = false;
}

void Estimator::accept_step() {
  const auto lowest = base_step_.lowest();
  if (!lowest || !newest_ || !base_step_.step(base_ms())) return;
  conclusions_.reset();
  base_ = SlotRing<std::optional<double>>(options_->base_window);
  if (auto* slot = base_.find(*newest_)) *slot = *lowest;
}

void Estimator::forget_streaks() {
  conclusions_.reset();
  silent_ = answered_ = good_ = 0;
  high_ = false;
}

bool Estimator::stale(TimePoint now) const {
  if (!newest_) return true;
  const auto limit = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::max(10 * gap_s_, 2.0)));
  return now - *newest_ > limit;
}

// At a very fast pace a burst of losses is a long row: silence must last until what left after a
// burst would have been heard.
bool Estimator::outlasts_a_burst() const {
  const double wait_ms = milliseconds(kBurst) + slow_ms_ + 4 * jitter_ms_ + kNextProbeMs;
  return milliseconds(*newest_ - silent_since_) > std::min(wait_ms, 1000.0);
}

const Estimator::Conclusions& Estimator::conclusions() const {
  if (!conclusions_) conclusions_ = {is_silent(), is_stepped(), is_lossy(), read()};
  return *conclusions_;
}

bool Estimator::is_silent() const {
  if (silent_ < options_->down_after || !outlasts_a_burst()) return false;
  const LossCount all = sum(loss_);
  const double before = all.sent - std::min(silent_, all.sent);
  const double missed = all.missed - std::min(silent_, all.missed);
  if (missed <= 0 || before <= 0) return true;
  const double ratio = std::min(missed / before, 0.5);
  return silent_ >= std::log(kChance) / std::log(ratio);
}

// Four of the last five: no spike or pair of spikes looks like that, and one lucky reply in a
// brownout does not hide it.
bool Estimator::is_stepped() const {
  if (replies_ < kJudgedReplies) return false;
  const double limit = step_limit();
  return std::count_if(recent_.begin(), recent_.end(),
                       [&](const Recent& r) { return r.rtt_ms > limit; }) >= 4;
}

std::optional<Climb> Estimator::climb() const {
  if (!stepped()) return std::nullopt;
  const double jitter_ms = normal_ ? normal_->jitter_ms : jitter_ms_;
  return onset_.climb(base_ms(), kWavers * jitter_ms);
}

bool Estimator::is_lossy() const {
  if (certain_loss(thinned(sum(loss_)), kZ95) > options_->degraded_loss) return true;
  const LossTest* self = &loss_test_;
  const auto alarm = pool({&self, 1}, 1, options_->degraded_loss);
  return alarm &&
         alarm->value > alarm_threshold(rate(), LossTest::kAlarms, options_->false_alarm_every);
}

bool Estimator::lossy_since(TimePoint since) const {
  LossCount count;
  loss_.each_since(since, [&](const LossCount& slot) {
    count.lost += slot.lost;
    count.sent += slot.sent;
  });
  return certain_loss(count, kZ95) > options_->degraded_loss;
}

std::optional<double> Estimator::queue_since(TimePoint since) const {
  const bool fresh = replies_ >= kRecent && std::all_of(recent_.begin(), recent_.end(),
                                                        [&](auto& r) { return r.sent >= since; });
  return fresh ? std::optional(median_recent() - base_ms()) : std::nullopt;
}

bool Estimator::calm() const {
  return certain_loss(sum(loss_), kZ95) <= options_->degraded_loss / 2 && loss_test_.calm();
}

TimePoint Estimator::trouble_since() const {
  if (silent_ > 0) return silent_since_;
  const double limit = step_limit();
  std::optional<TimePoint> first;
  for (const Recent& r : recent_)
    if (r.rtt_ms > limit) first = std::min(first.value_or(r.sent), r.sent);
  return first ? *first : newest_.value_or(TimePoint{});
}

LossCount Estimator::losses() const {
  return sum(loss_);
}

Estimate Estimator::estimate() const {
  const auto duration = [](double ms) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
  };
  Estimate e;
  if (replies_ > 0) {
    e.rtt = duration(fast_ms_);
    e.base = duration(base_ms());
    e.jitter = duration(jitter_ms_);
  }
  const LossCount count = sum(loss_);
  e.window = count.sent;
  e.loss = count.sent > 0 ? static_cast<double>(count.lost) / count.sent : 0;
  e.loss_upper = wilson(count.lost, count.sent, kZ95).upper;
  e.newest = newest_;
  return e;
}

std::optional<Reading> Estimator::read() const {
  if (replies_ < kRecent) return std::nullopt;
  Reading r;
  r.rtt_ms = slow_ms_;
  r.recent_ms = median_recent();
  r.base_ms = base_ms();
  r.jitter_ms = jitter_ms_;
  const LossCount losses = sum(score_loss_);
  r.loss = {certain_loss(losses, kZ99), wilson(losses.lost, losses.sent, kZ99).upper};
  r.alarm_loss = certain_loss(sum(loss_), kZ95);
  const double independent = 2 * seconds(options_->slow_tau) / std::max(gap_s_, 1e-3);
  r.step_ms = base_step_.step(r.base_ms).value_or(0);
  r.samples = std::max(1.0, std::min(static_cast<double>(replies_), independent));
  return r;
}

}  // namespace hopwise::engine
