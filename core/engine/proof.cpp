#include "core/engine/proof.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/engine/estimator.hpp"
#include "core/model/format.hpp"

namespace hopwise::engine {
namespace {

constexpr Duration kBatch = std::chrono::seconds(10);
constexpr Duration kLongestBatch = std::chrono::minutes(1);
constexpr Duration kWindow = std::chrono::minutes(5);
constexpr Duration kLate = std::chrono::seconds(5);
constexpr Duration kAhead = std::chrono::seconds(10);
constexpr Duration kPatience = std::chrono::minutes(5);
constexpr Duration kFirstRevert = std::chrono::minutes(10);
constexpr Duration kLongestRevert = std::chrono::hours(24);
constexpr Duration kForgotten = std::chrono::hours(24);
constexpr Duration kSettling = std::chrono::seconds(30);  // flows return to the paths
constexpr std::uint32_t kMostReverts = 16;
constexpr double kFewestSamples = 20;    // of a side in a batch: fewer have a biased median
constexpr double kFewestSegments = 200;  // of a side in the window
constexpr double kMarginMs = 1;
constexpr double kMarginRatio = 1.0 / 32;
constexpr double kLossMargin = 0.005;
constexpr double kZ95 = 1.96;

}  // namespace

void Proof::Side::clear() {
  rtt.clear();
  segments = {};
}

void Proof::set_terms(const GroupTerms& terms) {
  may_revert_ = terms.revert && terms.mode == Mode::steer;
  delay_counts_ = terms.policy.price_weight <= 0;
  accepted_ms_ = 0;
  for (const Preference& p : terms.preferences)
    accepted_ms_ = std::max(accepted_ms_, milliseconds(p.worth));
  if (may_revert_) return;
  reverted_until_.reset();
  hurting_since_.reset();
}

// --- readings ---------------------------------------------------------------------------------

bool Proof::timely(TimePoint at, Duration over) const {
  return batch_end_ && over > Duration::zero() && over <= kLongestBatch && at > *now_ - kLate &&
         at <= *now_ + kAhead;
}

void Proof::gather(Side& side, const PathTraffic& traffic, const std::optional<PassiveRtt>& rtt) {
  if (rtt) side.rtt.add(*rtt);
  if (traffic.retransmitted > traffic.segments) return;
  side.segments.sent += static_cast<double>(traffic.segments);
  side.segments.again += static_cast<double>(traffic.retransmitted);
}

void Proof::observe(const PathReading& reading) {
  if (timely(reading.at, reading.over)) gather(steered_, reading.traffic, reading.rtt);
}

void Proof::observe(const ControlReading& reading) {
  if (!timely(reading.at, reading.over)) return;
  gather(control_, reading.traffic, reading.rtt);
  if (std::exchange(staggered_, true)) return;
  *batch_end_ += std::chrono::seconds(raw(reading.group) % 10);
}

// --- batches ----------------------------------------------------------------------------------

void Proof::advance(TimePoint now) {
  if (now_ && now < *now_) return;
  now_ = now;
  if (reverts_ > 0 && reverted_until_ && now - *reverted_until_ >= kForgotten) reverts_ = 0;
  if (reverted_until_ && now < *reverted_until_ + kSettling) return;
  if (!batch_end_) return begin_batch(now);
  drop_old(now);
  if (now < *batch_end_) return;
  const bool enough =
      control_.rtt.samples() >= kFewestSamples && steered_.rtt.samples() >= kFewestSamples;
  if (!enough && now < batch_begin_ + kLongestBatch) return;
  end_batch(now);
  judge(now);
}

void Proof::begin_batch(TimePoint now) {
  control_.clear();
  steered_.clear();
  batch_begin_ = now;
  batch_end_ = now + kBatch;
}

// One that took far too long is of a loop that stood still.
void Proof::end_batch(TimePoint now) {
  const bool whole = now - batch_begin_ <= kLongestBatch + kBatch;
  const bool segments = control_.segments.sent > 0 && steered_.segments.sent > 0;
  const double samples = std::min(control_.rtt.samples(), steered_.rtt.samples());
  const bool timed = samples >= kFewestSamples;
  if (whole && (timed || segments)) {
    if (size_ == kBatches) {
      first_ = (first_ + 1) % kBatches;
      --size_;
    }
    Batch& b = batches_[(first_ + size_++) % kBatches];
    b = {now, timed, 0, 0, 0, samples, control_.segments, steered_.segments};
    if (timed) {
      b.control_ms = control_.rtt.median_ms();
      b.steered_ms = steered_.rtt.median_ms();
      b.mean_gain_ms = control_.rtt.mean_ms() - steered_.rtt.mean_ms();
    }
  }
  begin_batch(now);
  estimate();
}

void Proof::drop_old(TimePoint now) {
  bool dropped = false;
  for (; size_ > 0 && batches_[first_].end <= now - kWindow; --size_) {
    first_ = (first_ + 1) % kBatches;
    dropped = true;
  }
  if (dropped) estimate();
}

void Proof::clear() {
  control_.clear();
  steered_.clear();
  batch_end_.reset();
  first_ = size_ = 0;
  gain_.reset();
  mean_gain_.reset();
  loss_gain_.reset();
  hurting_since_.reset();
}

// --- conclusions ------------------------------------------------------------------------------

void Proof::estimate() {
  std::array<double, kBatches> medians{};
  std::array<double, kBatches> means{};
  Gain gain;
  double samples = 0;
  std::size_t n = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    const Batch& b = batches_[(first_ + i) % kBatches];
    if (!b.timed) continue;
    gain.control_ms += b.control_ms;
    gain.steered_ms += b.steered_ms;
    samples += b.samples;
    means[n] = b.mean_gain_ms;
    medians[n++] = b.control_ms - b.steered_ms;
  }
  gain_.reset();
  mean_gain_ = mean_interval({means.data(), n});
  if (const auto interval = mean_interval({medians.data(), n})) {
    gain.control_ms /= static_cast<double>(n);
    gain.steered_ms /= static_cast<double>(n);
    gain.gain_ms = interval->mean;
    gain.lower_ms = interval->lower;
    gain.upper_ms = interval->upper;
    gain.samples = static_cast<std::uint64_t>(samples);
    gain_ = gain;
  }
  estimate_loss();
}

void Proof::estimate_loss() {
  loss_gain_.reset();
  Segments c;
  Segments s;
  for (std::size_t i = 0; i < size_; ++i) {
    const Batch& b = batches_[(first_ + i) % kBatches];
    c = {c.sent + b.control.sent, c.again + b.control.again};
    s = {s.sent + b.steered.sent, s.again + b.steered.again};
  }
  if (c.sent < kFewestSegments || s.sent < kFewestSegments) return;
  LossGain loss;
  loss.control = c.again / c.sent;
  loss.steered = s.again / s.sent;
  loss.gain = loss.control - loss.steered;
  loss.segments = static_cast<std::uint64_t>(std::min(c.sent, s.sent));

  std::array<double, kBatches> residuals{};
  const auto n = static_cast<double>(size_);
  for (std::size_t i = 0; i < size_; ++i) {
    const Batch& b = batches_[(first_ + i) % kBatches];
    residuals[i] = (b.control.again - loss.control * b.control.sent) / (c.sent / n) -
                   (b.steered.again - loss.steered * b.steered.sent) / (s.sent / n);
  }
  const auto batches = mean_interval({residuals.data(), size_});
  if (!batches) return;
  const Interval wc = wilson(c.again, c.sent, kZ95);
  const Interval ws = wilson(s.again, s.sent, kZ95);
  const double below = std::hypot(loss.control - wc.lower, ws.upper - loss.steered);
  const double above = std::hypot(wc.upper - loss.control, loss.steered - ws.lower);
  loss.lower = loss.gain - std::max(below, -batches->lower);
  loss.upper = loss.gain + std::max(above, batches->upper);
  loss_gain_ = loss;
}

bool Proof::hurts() const {
  const double margin = gain_ ? std::max(kMarginMs, kMarginRatio * gain_->control_ms) : kMarginMs;
  const bool faster = gain_ && gain_->lower_ms > margin;
  const bool slower = delay_counts_ && gain_ && gain_->upper_ms < -(margin + accepted_ms_) &&
                      mean_gain_ && mean_gain_->upper < -accepted_ms_;
  const bool safer = loss_gain_ && loss_gain_->lower > kLossMargin;
  const bool lossier = loss_gain_ && loss_gain_->upper < -kLossMargin;
  return (slower && !safer) || (lossier && !faster);
}

void Proof::judge(TimePoint now) {
  if (!may_revert_ || !hurts()) {
    hurting_since_.reset();
    return;
  }
  if (!hurting_since_) hurting_since_ = now;
  if (now - *hurting_since_ >= kPatience) revert(now);
}

void Proof::revert(TimePoint now) {
  Duration length = kFirstRevert;
  for (std::uint32_t i = 0; i < reverts_ && length < kLongestRevert; ++i) length *= 2;
  length = std::min(length, kLongestRevert);
  evidence_.clear();
  if (gain_)
    evidence_ = format("gain_ms=%.2f upper_ms=%.2f control_ms=%.2f steered_ms=%.2f ",
                       gain_->gain_ms, gain_->upper_ms, gain_->control_ms, gain_->steered_ms);
  if (loss_gain_)
    evidence_ += format("retransmitted=%.4f control_retransmitted=%.4f ", loss_gain_->steered,
                        loss_gain_->control);
  evidence_ += format("for_s=%.0f revert_s=%.0f", seconds(now - *hurting_since_), seconds(length));
  reverts_ = std::min(reverts_ + 1, kMostReverts);
  reverted_until_ = now + length;
  clear();
}

bool Proof::reverted(TimePoint now) const {
  return may_revert_ && reverted_until_ && now < *reverted_until_;
}

// --- across restarts --------------------------------------------------------------------------

void Proof::remember(GroupMemory& memory, TimePoint now) const {
  memory.reverted = reverted(now);
  memory.reverted_for = memory.reverted ? *reverted_until_ - now : Duration::zero();
  memory.reverts = reverts_;
  memory.since_revert = reverts_ > 0 && reverted_until_
                            ? std::max(now - *reverted_until_, Duration::zero())
                            : Duration::zero();
}

void Proof::recall(const GroupMemory& memory, TimePoint now) {
  reverts_ = std::min(memory.reverts, kMostReverts);
  const Duration since = std::clamp(memory.since_revert, Duration::zero(), kForgotten);
  const Duration left = std::clamp(memory.reverted_for, Duration::zero(), kLongestRevert);
  reverted_until_.reset();
  if (memory.reverted && may_revert_) {
    reverted_until_ = now + left;
    evidence_ = format("recalled=1 revert_s=%.0f", seconds(left));
    clear();
  } else if (reverts_ > 0) {
    reverted_until_ = now - since;
  }
}

}  // namespace hopwise::engine
