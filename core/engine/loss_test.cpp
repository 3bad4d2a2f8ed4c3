#include "core/engine/loss_test.hpp"

#include <algorithm>
#include <cmath>

#include "core/engine/arena.hpp"

namespace hopwise::engine {
namespace {

constexpr Duration kTakenBack = std::chrono::seconds(10);  // as long as a prober knows a late reply
constexpr std::size_t kKept = 1024;                        // probes, at most
constexpr Duration kBurst = std::chrono::milliseconds(100);
constexpr double kUsualProbes = 1500;  // that the usual ratio is learnt from: 5 min at 5 pps
constexpr double kMostUsual = 0.2;     // more is never called usual
constexpr double kMostSum = 30;        // more than any threshold; what ends shall be seen to end
constexpr std::ptrdiff_t kGrave = 2;   // from 10 % on, in LossTest::kBad
constexpr std::uint32_t kLosingFlow = 4;

}  // namespace

LossSteps LossSteps::between(double p0, double p1) {
  return {std::log(p1 / p0), std::log((1 - p1) / (1 - p0))};
}

double alarm_threshold(double rate, double tests, Duration every) {
  return std::log(std::max(tests * rate * seconds(every), std::exp(kSuspicion)));
}

LossTest::LossTest(const Options& options) : options_(&options), ratio_(options.usual_loss) {
  set_steps();
}

void LossTest::reconfigure(const Options& options) {
  options_ = &options;
  set_steps();
  known_ = false;
}

double LossTest::usual() const {
  const double least = std::clamp(options_->usual_loss, 1e-4, kMostUsual);
  return std::clamp(ratio_, least, std::clamp(options_->degraded_loss / 2, least, kMostUsual));
}

void LossTest::set_steps() {
  steps_from_ = usual();
  for (std::size_t i = 0; i < kBad.size(); ++i) {
    steps_[i].reset();
    if (kBad[i] >= 2 * steps_from_) steps_[i] = LossSteps::between(steps_from_, kBad[i]);
  }
  limit_steps_ =
      LossSteps::between(steps_from_, std::clamp(options_->degraded_loss, 2 * steps_from_, 0.99));
}

void LossTest::answered(TimePoint sent, std::uint8_t flow) {
  insert({sent, false, flow});
}

void LossTest::lost(TimePoint sent, std::uint8_t flow) {
  insert({sent, true, flow});
}

void LossTest::insert(Probe probe) {
  const auto after = std::find_if(probes_.rbegin(), probes_.rend(), [&](const Probe& p) {
                       return p.sent <= probe.sent;
                     }).base();
  if (after == probes_.begin() && !probes_.empty() && probes_.back().sent - probe.sent > kTakenBack)
    return;
  const bool newest = after == probes_.end();
  probes_.insert(after, probe);
  if (newest && known_)
    step(newest_, probe);
  else
    known_ = false;
  while (probes_.size() > kKept || probes_.back().sent - probes_.front().sent > kTakenBack)
    settle_oldest();
}

void LossTest::settle_oldest() {
  const Probe probe = probes_.front();
  probes_.erase(probes_.begin());
  step(settled_, probe);
  // A plain fault of this anchor alone does not become usual either.
  const bool faulty = std::any_of(settled_.sums.begin() + kGrave, settled_.sums.end(),
                                  [](const Sum& sum) { return sum.value >= 2 * kSuspicion; });
  if (!learns_ || faulty) return;
  ratio_ += ((probe.lost ? 1.0 : 0.0) - ratio_) / kUsualProbes;
  if (std::abs(usual() - steps_from_) < 0.05 * steps_from_) return;
  set_steps();
  known_ = false;
}

void LossTest::take_back(TimePoint sent) {
  const auto found = std::find_if(probes_.rbegin(), probes_.rend(),
                                  [&](const Probe& p) { return p.lost && p.sent == sent; });
  if (found == probes_.rend()) return;
  found->lost = false;
  known_ = false;
}

void LossTest::clear() {
  probes_.clear();
  settled_ = newest_ = State{};
  known_ = true;
}

void LossTest::step(State& state, const Probe& probe) const {
  const bool burst = probe.lost && state.burst && probe.sent - *state.burst < kBurst;
  if (probe.lost && !burst) state.burst = probe.sent;
  for (std::size_t i = 0; i < kBad.size(); ++i) {
    if (!steps_[i]) continue;
    Sum& sum = state.sums[i];
    if (sum.value == 0) {
      if (!probe.lost) continue;
      sum = {0, 0, 0, probe.sent};
    }
    sum.lost += probe.lost;
    ++sum.sent;
    if (burst && i < kAlarms) continue;
    const double step = probe.lost ? steps_[i]->lost : steps_[i]->answered;
    sum.value = std::clamp(sum.value + step, 0.0, kMostSum);
  }
  if (burst) return;
  state.calm = std::clamp(state.calm - (probe.lost ? limit_steps_.lost : limit_steps_.answered),
                          0.0, 2 * kSuspicion);
}

const LossTest::State& LossTest::state() const {
  if (known_) return newest_;
  newest_ = settled_;
  for (const Probe& probe : probes_) step(newest_, probe);
  known_ = true;
  return newest_;
}

bool LossTest::suspicious() const {
  return std::any_of(sums().begin(), sums().end(),
                     [](const Sum& sum) { return sum.value >= kSuspicion; });
}

std::optional<std::uint8_t> LossTest::losing_flow() const {
  std::optional<std::uint8_t> flow;
  std::uint32_t lost = 0;
  bool several = false;
  for (const Probe& probe : probes_) {
    several = several || probe.flow != probes_.front().flow;
    if (!probe.lost) continue;
    if (flow && *flow != probe.flow) return std::nullopt;
    flow = probe.flow;
    ++lost;
  }
  return several && lost >= kLosingFlow ? flow : std::nullopt;
}

std::optional<PooledLoss> pool(std::span<const LossTest* const> anchors, std::size_t agree,
                               double least) {
  std::optional<PooledLoss> best;
  Arena arena;
  auto sums = row<LossTest::Sum>(arena, anchors.size());
  for (std::size_t i = 0; i < LossTest::kAlarms; ++i) {
    if (LossTest::kBad[i] < least) continue;
    sums.clear();
    for (const LossTest* anchor : anchors)
      if (anchor->sums()[i].value > 0) sums.push_back(anchor->sums()[i]);
    if (sums.size() < agree || agree == 0) continue;
    std::sort(sums.begin(), sums.end(),
              [](const auto& a, const auto& b) { return a.value > b.value; });
    PooledLoss pooled;
    pooled.since = sums[agree - 1].since;
    for (std::size_t n = agree - 1; n < sums.size(); ++n) {
      pooled.value += sums[n].value;
      pooled.lost += sums[n].lost;
      pooled.sent += sums[n].sent;
      pooled.since = std::min(pooled.since, sums[n].since);
    }
    const bool enough = pooled.lost >= least * pooled.sent;
    if (enough && (!best || pooled.value > best->value)) best = pooled;
  }
  return best;
}

}  // namespace hopwise::engine
