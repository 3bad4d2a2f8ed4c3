#include "core/engine/evidence.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/engine/average.hpp"

namespace hopwise::engine {
namespace {

constexpr Duration kTau = std::chrono::seconds(10);
constexpr Duration kSpreadTau = std::chrono::seconds(60);
constexpr Duration kCountTau = std::chrono::seconds(60);
constexpr Duration kHeard = std::chrono::seconds(30);  // older times count no more ...
constexpr Duration kShown = std::chrono::seconds(60);  // ... nor are they shown
constexpr Duration kRemembered = std::chrono::minutes(10);
constexpr Duration kAbsurdRtt = std::chrono::minutes(1);
constexpr std::uint64_t kJudged = 5;       // seconds with samples
constexpr std::uint64_t kLowSamples = 10;  // fewer give no 10 % quantile
constexpr double kFewSamples = 4;          // a second with so many counts half
constexpr double kLeastTrials = 30;        // fewer give no ratio

// Errors that no averaging removes: of the histogram's bins and TCP's clocks; of the kernel's
// timestamps and the anchor's own place in the net.
constexpr double kPassiveFloor_ms = 0.2;
constexpr double kPassiveRelative = 0.01;
constexpr double kActiveFloor_ms = 0.1;
constexpr double kActiveRelative = 0.01;
constexpr double kDeviation = 1.25;  // mean deviation to standard deviation, of normal noise

constexpr double kSure = 3;  // deviations
constexpr double kApart_ms = 2;
constexpr double kApart = 0.10;

constexpr double kZ99 = 2.58;
constexpr double kRetransmitBurst = 3;  // so many have one cause
constexpr double kMarkBurst = 10;       // an echo is repeated for a round trip (RFC 3168)
constexpr double kLeastExcess = 0.002;

constexpr std::size_t kMost = 64;

double square(double x) {
  return x * x;
}

/// 0 up to `from`, 1 from `to` on.
double ramp(double x, double from, double to) {
  return std::clamp((x - from) / (to - from), 0.0, 1.0);
}

void fade(PathEvidence::Count& count, double part) {
  count.hits *= part;
  count.trials *= part;
}

std::optional<double> ratio(const PathEvidence::Count& count) {
  return count.trials < kLeastTrials ? std::nullopt : std::optional(count.hits / count.trials);
}

/// Of the first `n`; `skip` is left out.
double median(const std::array<double, kMost>& values, std::size_t n, std::size_t skip = kMost) {
  std::array<double, kMost> sorted{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i)
    if (i != skip) sorted[count++] = values[i];
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
  return count == 0 ? 0 : (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/// Of an even number the lower of the two in the middle.
double lower_median(std::array<double, kMost> values, std::size_t n) {
  if (n == 0) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((n - 1) / 2);
  std::nth_element(values.begin(), middle, values.begin() + static_cast<std::ptrdiff_t>(n));
  return *middle;
}

}  // namespace

bool PathEvidence::observe(const PathReading& reading) {
  const PathTraffic& t = reading.traffic;
  if (reading.over <= Duration::zero() || reading.over > kLongestReading) return false;
  if (newest_ && reading.at <= *newest_) return false;
  if (t.retransmitted > t.segments || t.ece_acks > t.acks) return false;
  const bool timed = reading.rtt && reading.rtt->samples > 0;
  if (timed && (reading.rtt->p50 <= Duration::zero() || reading.rtt->p50 > kAbsurdRtt ||
                reading.rtt->p10 > reading.rtt->p50 || reading.rtt->p10 < Duration::zero()))
    return false;
  const Duration gap = newest_ ? reading.at - *newest_ : reading.over;
  newest_ = reading.at;
  const double kept = 1 - alpha_of(gap, kCountTau);
  fade(retransmitted_, kept);
  fade(marked_, kept);
  retransmitted_ += {static_cast<double>(t.retransmitted), static_cast<double>(t.segments)};
  marked_ += {static_cast<double>(t.ece_acks), static_cast<double>(t.acks)};
  if (timed) average(*reading.rtt, reading.at);
  return true;
}

void PathEvidence::average(const PassiveRtt& rtt, TimePoint at) {
  const double ms = milliseconds(rtt.p50);
  if (timed_ && at - *timed_ > kHeard) seconds_ = 0;  // of another time
  const Duration gap = timed_ && seconds_ > 0 ? at - *timed_ : std::chrono::seconds(1);
  ++seconds_;
  const double first = 1.0 / static_cast<double>(seconds_);
  const auto samples = static_cast<double>(rtt.samples);
  const double part =
      seconds_ == 1 ? 1 : std::max(alpha_of(gap, kTau), first) * samples / (samples + kFewSamples);
  const double off = ms - median_ms_;
  if (seconds_ == 1)
    variance_ = 0;
  else
    variance_ += std::max(alpha_of(gap, kSpreadTau), first) * (square(off) - variance_);
  median_ms_ += part * off;
  gap_s_ += 0.1 * (seconds(gap) - gap_s_);
  timed_ = at;
  if (rtt.samples < kLowSamples) return;
  const double low = milliseconds(rtt.p10);
  if (auto* slot = low_ms_.find(at)) *slot = std::min(slot->value_or(low), low);
}

std::optional<double> PathEvidence::passive_ms(TimePoint now) const {
  return timed_ && now - *timed_ <= kShown ? std::optional(median_ms_) : std::nullopt;
}

std::optional<double> PathEvidence::retransmitted(TimePoint now) const {
  return ratio(retransmissions(now));
}

std::optional<double> PathEvidence::ece(TimePoint now) const {
  return ratio(marks(now));
}

PathEvidence::Count PathEvidence::retransmissions(TimePoint now) const {
  return newest_ && now - *newest_ <= kShown ? retransmitted_ : Count{};
}

PathEvidence::Count PathEvidence::marks(TimePoint now) const {
  return newest_ && now - *newest_ <= kShown ? marked_ : Count{};
}

std::optional<PathEvidence::Delay> PathEvidence::delay(TimePoint now) const {
  if (!timed_ || seconds_ < kJudged || now - *timed_ > kHeard) return std::nullopt;
  const double independent =
      std::clamp(2 * seconds(kTau) / std::max(gap_s_, 0.1), 1.0, static_cast<double>(seconds_));
  const double age = std::max(0.0, seconds(now - *timed_) / seconds(kTau));
  const double floor = square(kPassiveFloor_ms) + square(kPassiveRelative * median_ms_);
  Delay delay{median_ms_, (variance_ / independent + floor) * (1 + square(age)),
              std::sqrt(variance_)};
  std::optional<double> low;
  for (const auto& slot : low_ms_.slots())
    if (slot) low = std::min(low.value_or(*slot), *slot);
  if (low) delay.queue_ms = std::max(0.0, median_ms_ - *low);
  return delay;
}

void PathEvidence::remember(const Fused& fused, TimePoint now) {
  if (fused.lasting_ms)
    worse_ = {*fused.lasting_ms, now};
  else if (fused.passive_share > 0 && !fused.disagreement_ms)
    worse_.reset();
}

std::optional<double> PathEvidence::remembered_ms(TimePoint now) const {
  return worse_ && now - worse_->at <= kRemembered ? std::optional(worse_->ms) : std::nullopt;
}

namespace {

/// One fusion at work: the two words on each path, and what all of a group have in common.
class Fusion {
 public:
  Fusion(std::span<const PathEvidence* const> passive, std::span<const Reading* const> active,
         TimePoint now)
      : n_(std::min({passive.size(), active.size(), kMost})),
        active_(active),
        passive_(passive),
        now_(now) {
    for (std::size_t i = 0; i < n_; ++i) {
      if (passive[i] != nullptr) delay_[i] = passive[i]->delay(now);
      if (!delay_[i]) continue;
      if (active_[i] == nullptr) continue;
      const Reading& a = *active_[i];
      position_[i] = both_;
      offsets_[both_] = delay_[i]->ms - a.rtt_ms;
      quick_offsets_[both_] = delay_[i]->ms - a.recent_ms;
      variances_[both_++] = delay_[i]->variance + active_variance(a);
    }
    note_queues();
    std::array<double, kMost> bases{};
    for (std::size_t i = 0; i < n_; ++i)
      if (delay_[i] && active_[i] != nullptr && both_ >= 2) {
        const Correction c = correction(i);
        bases[position_[i]] = c.by_ms - c.queued_ms;
      }
    common_ms_ = lower_median(bases, both_);
  }

  void correct(std::size_t i, Fused& fused) const {
    if (i >= n_) return;
    if (!delay_[i]) return recall(i, fused);
    fused.queue_ms = queue(i);
    if (active_[i] == nullptr) return stand_in(i, fused);
    if (both_ < 2) return;  // a difference takes two
    const Correction c = correction(i);
    fused.passive_share = c.share;
    fused.disagreement_ms = c.disagreement_ms;
    fused.lasting_ms = c.lasting_ms;
    Reading& r = *fused.reading;
    const double by = c.by_ms - common_ms_;
    r.rtt_ms = std::max(kActiveFloor_ms, r.rtt_ms + by);
    const double base = std::clamp(r.base_ms + by - c.queued_ms, 0.0, r.rtt_ms);
    fused.base_correction_ms = base - r.base_ms;
    r.recent_ms = std::max(kActiveFloor_ms, r.recent_ms + fused.base_correction_ms);
    r.base_ms = base;
  }

 private:
  static double active_variance(const Reading& r) {
    return square(kDeviation * r.jitter_ms) / std::max(r.samples, 1.0) + square(kActiveFloor_ms) +
           square(kActiveRelative * r.rtt_ms);
  }
  static double active_queue(const Reading& r) { return std::max(0.0, r.rtt_ms - r.base_ms); }

  void note_queues() {
    for (std::size_t i = 0; i < n_; ++i) {
      if (delay_[i] && delay_[i]->queue_ms)
        least_passive_ = std::min(least_passive_.value_or(1e9), *delay_[i]->queue_ms);
      if (delay_[i] && delay_[i]->queue_ms && active_[i] != nullptr)
        least_active_ = std::min(least_active_.value_or(1e9), active_queue(*active_[i]));
    }
  }
  [[nodiscard]] std::optional<double> queue(std::size_t i) const {
    if (!delay_[i]->queue_ms || !least_passive_) return std::nullopt;
    return *delay_[i]->queue_ms - *least_passive_;
  }
  /// Of the median of the others' offsets: 1.57 times that of a mean, from three on.
  [[nodiscard]] double common_variance(std::size_t skip) const {
    double sum = 0;
    double count = 0;
    for (std::size_t k = 0; k < both_; ++k)
      if (k != skip) {
        sum += variances_[k];
        ++count;
      }
    return count == 0 ? 0 : sum / square(count) * (count < 3 ? 1 : 1.57);
  }
  struct Correction {
    double by_ms = 0;      // of the slow average
    double queued_ms = 0;  // of that, by another queue; what is left is another base
    double share = 0;
    std::optional<double> disagreement_ms{};
    std::optional<double> lasting_ms{};
  };
  /// Of a path that has both words, one of several.
  [[nodiscard]] Correction correction(std::size_t i) const {
    Correction c;
    const Reading& r = *active_[i];
    const double told = delay_[i]->ms - median(offsets_, both_) - r.rtt_ms;
    const double passive = 1 / (delay_[i]->variance + common_variance(kMost));
    const double active = 1 / active_variance(r);
    // Of two nobody knows which is odd: the other's offset is the measure. Of more, the median's.
    const std::size_t skip = both_ == 2 ? position_[i] : kMost;
    const double apart = offsets_[position_[i]] - median(offsets_, both_, skip);
    const double sigma = std::sqrt(variances_[position_[i]] + common_variance(skip));
    const double limit = std::max(kApart_ms, kApart * r.rtt_ms);
    if (std::abs(apart) > kSure * sigma && std::abs(apart) > limit) {
      c.disagreement_ms = apart;
      const double lasting =
          apart < 0
              ? 0
              : std::min(apart, quick_offsets_[position_[i]] - median(quick_offsets_, both_, skip));
      if (lasting > kSure * sigma && lasting > limit) c.lasting_ms = lasting;
    }
    const double doubt = ramp(std::abs(apart) / sigma, kSure - 1, kSure + 1) *
                         ramp(std::abs(apart) / limit, 0.75, 1.25);
    const double share = passive / (passive + active);
    c.share = share + doubt * (1 - share);
    c.by_ms = c.share * told;
    const double before = active_queue(r) - least_active_.value_or(0);
    const auto queued = queue(i);
    c.queued_ms = queued ? c.share * (*queued - before) : 0;
    return c;
  }
  /// Its traffic has fallen silent.
  void recall(std::size_t i, Fused& fused) const {
    if (active_[i] == nullptr || passive_[i] == nullptr) return;
    const auto worse = passive_[i]->remembered_ms(now_);
    if (!worse) return;
    fused.passive_share = 1;
    fused.disagreement_ms = worse;
    fused.base_correction_ms = *worse;
    Reading& r = *fused.reading;
    r.rtt_ms += *worse;
    r.base_ms += *worse;
    r.recent_ms += *worse;
  }
  /// Nothing probes this path: its traffic's word alone, if it can be compared with the others'.
  void stand_in(std::size_t i, Fused& fused) const {
    const bool none_probed =
        std::all_of(active_.begin(), active_.begin() + static_cast<std::ptrdiff_t>(n_),
                    [](const Reading* r) { return r == nullptr; });
    if (both_ == 0 && !none_probed) return;
    Reading r;
    r.rtt_ms = r.recent_ms = std::max(kActiveFloor_ms, delay_[i]->ms - median(offsets_, both_));
    r.base_ms = std::max(0.0, r.rtt_ms - fused.queue_ms.value_or(0));
    r.jitter_ms = delay_[i]->spread_ms / kDeviation;
    r.samples = std::max(1.0, square(delay_[i]->spread_ms) / delay_[i]->variance);
    fused.reading = r;
    fused.passive_share = 1;
  }

  std::size_t n_;
  std::span<const Reading* const> active_;
  std::span<const PathEvidence* const> passive_;
  TimePoint now_;
  std::array<std::optional<PathEvidence::Delay>, kMost> delay_{};
  std::array<std::size_t, kMost> position_{};  // of a path that has both words, among these
  std::array<double, kMost> offsets_{};        // of these: the traffic's less the probes'
  std::array<double, kMost> quick_offsets_{};  // the same to the probes' fast average
  std::array<double, kMost> variances_{};
  std::size_t both_ = 0;
  std::optional<double> least_passive_;  // queue of the group
  std::optional<double> least_active_;
  // What a queue on one path would take from all the others' bases: only differences are known. Of
  // two paths the better keeps its probes' word: users are behind the anchors rather than before.
  double common_ms_ = 0;
};

/// What the path surely has more than the others together.
std::optional<double> excess(PathEvidence::Count own, const PathEvidence::Count& all,
                             double burst) {
  const PathEvidence::Count others{all.hits - own.hits, all.trials - own.trials};
  if (own.trials < kLeastTrials || others.trials < kLeastTrials) return std::nullopt;
  const double more = wilson(own.hits / burst, own.trials / burst, kZ99).lower -
                      wilson(others.hits / burst, others.trials / burst, kZ99).upper;
  return more > kLeastExcess ? std::optional(more) : std::nullopt;
}

}  // namespace

void fuse(std::span<const PathEvidence* const> passive, std::span<const Reading* const> active,
          TimePoint now, std::vector<Fused>& into) {
  into.assign(active.size(), {});
  PathEvidence::Count retransmitted;
  PathEvidence::Count marked;
  for (const PathEvidence* p : passive) {
    if (p == nullptr) continue;
    retransmitted += p->retransmissions(now);
    marked += p->marks(now);
  }
  const Fusion fusion(passive, active, now);
  for (std::size_t i = 0; i < into.size(); ++i) {
    Fused& fused = into[i];
    if (active[i] != nullptr) fused.reading = *active[i];
    fusion.correct(i, fused);
    if (i >= passive.size() || passive[i] == nullptr) continue;
    fused.retransmit_excess =
        excess(passive[i]->retransmissions(now), retransmitted, kRetransmitBurst);
    fused.marked_excess = excess(passive[i]->marks(now), marked, kMarkBurst);
    if (!fused.reading || !fused.retransmit_excess) continue;
    Interval& loss = fused.reading->loss;
    loss.lower = std::max(loss.lower, *fused.retransmit_excess);
    loss.upper = std::max(loss.upper, loss.lower);
  }
}

std::vector<Fused> fuse(std::span<const PathEvidence* const> passive,
                        std::span<const Reading* const> active, TimePoint now) {
  std::vector<Fused> fused;
  fuse(passive, active, now, fused);
  return fused;
}

}  // namespace hopwise::engine
