#include "core/engine/demand.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr Duration kPinnedTau = std::chrono::seconds(60);
constexpr Duration kJudgedTau = std::chrono::seconds(120);
constexpr Duration kTogether = std::chrono::milliseconds(1500);  // readings of one second
constexpr double kLeft = 0.02;      // a share that was more than this, and is 0, was taken away
constexpr double kApart = 0.01;     // shares: the candidates differ enough to be judged
constexpr double kEnough = 10;      // path-seconds of that, before the first verdict
constexpr double kBetter = 0.8;     // mean square error of another, to be believed instead
constexpr std::uint64_t kSeen = 5;  // readings, before anything is taken for pinned
constexpr double kOutlier = 3;
constexpr double kSilent = 2;      // a plan of so many times the demand: of what falls silent
constexpr double kResting = 0.01;  // shares: the candidates agree
constexpr Duration kAfterJump = std::chrono::seconds(30);
constexpr double kPriorNoise = 0.05;  // of the demand, as of 400 flows, until more is known
constexpr double kPrior_s = 10;       // of readings that this counts for

template <class Reading>
std::optional<double> rate(const Reading& reading) {
  if (reading.over <= Duration::zero() || reading.over > kLongestReading) return std::nullopt;
  const double bit_s =
      8 * static_cast<double>(reading.traffic.forward_bytes) / seconds(reading.over);
  return bit_s <= kAbsurdBit_s ? std::optional(bit_s) : std::nullopt;
}

}  // namespace

void Demand::set_paths(std::span<const int> kept) {
  std::vector<OfPath> next(kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (kept[i] >= 0 && static_cast<std::size_t>(kept[i]) < paths_.size())
      next[i] = paths_[static_cast<std::size_t>(kept[i])];
  paths_ = std::move(next);
}

bool Demand::observe(std::size_t path, const PathReading& reading, double weight) {
  const auto bit_s = rate(reading);
  if (path >= paths_.size() || !bit_s || !(weight >= 0 && weight <= 1)) return false;
  OfPath& p = paths_[path];
  if (p.carried.newest() && reading.at <= *p.carried.newest()) return false;
  const Duration gap = p.carried.newest() ? reading.at - *p.carried.newest() : reading.over;
  if (gap > kReadingsCease) p = {.routing = p.routing};
  p.carried.add(*bit_s, reading.at, kLoadTau);
  newest_ = std::max(newest_.value_or(reading.at), reading.at);
  set_alphas(gap);
  follow(p, weight, reading.at);

  const double demand = sum_bit_s();
  const double carried = carried_bit_s(path);
  if (demand < kLeast_bit_s) p.pinned_bit_s *= 1 - alphas_.pinned;
  if (++p.seen < kSeen || demand < kLeast_bit_s) return true;
  judge(p, (carried - p.pinned_bit_s) / demand);
  const double beyond = carried - p.followed[lifetime_].averaged * demand;
  note_chance(p, beyond - p.pinned_bit_s, demand, reading.at);
  p.pinned_bit_s += alphas_.pinned * (beyond - p.pinned_bit_s);
  return true;
}

// Only where weights rest, by lifetimes near the one that was learnt: while they move, where the
// flows are is a guess. Flows that a fault took away are no chance either.
void Demand::note_chance(const OfPath& path, double beyond, double demand, TimePoint at) {
  const auto& shorter = path.followed[lifetime_ > 0 ? lifetime_ - 1 : 0];
  const auto& longer = path.followed[std::min(lifetime_ + 1, kCandidates - 1)];
  const double spread = std::abs(shorter.averaged - longer.averaged);
  if (spread > kResting || (jumped_ && at - *jumped_ < kAfterJump)) return;
  const double share = path.followed[lifetime_].averaged;
  const double variance = share * (1 - share) * demand;
  if (noted_ == 0) {
    noted_ = kPrior_s * static_cast<double>(paths_.size());
    noise_ = kPriorNoise * kPriorNoise * demand * variance / kUnaveraged;
    shared_ = variance;
  }
  if (noted_ >= kEnough && shared_ > 0) {
    const double most = kOutlier * std::sqrt(noise_ * std::max(1.0, variance / shared_));
    beyond = std::clamp(beyond, -most, most);
  }
  const double part = std::max(alphas_.judged / static_cast<double>(paths_.size()), 1 / ++noted_);
  noise_ += part * (beyond * beyond - noise_);
  shared_ += part * (variance - shared_);
}

// Of the first seconds' readings all tell the same: without a prior a demand of few large flows
// would be taken for a steady one.
void Demand::missed(double bit_s) {
  const double demand = sum_bit_s();
  if (planned_ == 0) {
    planned_ = kPrior_s;
    missed_ = kPriorNoise * kPriorNoise * demand * demand / kUnaveraged;
  }
  const double most = kOutlier * std::sqrt(missed_);
  bit_s = std::clamp(bit_s, -most, most);
  const double part = 1 / std::max(seconds(kJudgedTau), 1.0);
  missed_ += std::max(part, 1 / ++planned_) * (bit_s * bit_s - missed_);
}

// What the whole demand strays by, all paths share; what the flows' choice of path adds is of each.
double Demand::variance(double share) const {
  const double chance = flow_bit_s() * sum_bit_s();
  return share * share * std::max(chance, kUnaveraged * missed_) + share * (1 - share) * chance;
}

bool Demand::observe(const ControlReading& reading, std::span<const double> shares) {
  const auto bit_s = rate(reading);
  if (!bit_s || shares.size() != paths_.size()) return false;
  if (control_.newest() && reading.at <= *control_.newest()) return false;
  for (const double share : shares)
    if (!(share >= 0 && share <= 1)) return false;
  for (std::size_t i = 0; i < shares.size(); ++i) paths_[i].routing = shares[i];
  control_.add(*bit_s, reading.at, kLoadTau);
  newest_ = std::max(newest_.value_or(reading.at), reading.at);
  return true;
}

void Demand::set_alphas(Duration gap) {
  if (gap == alphas_.gap) return;
  alphas_.gap = gap;
  for (std::size_t k = 0; k < kCandidates; ++k)
    alphas_.flows[k] = 1 - std::exp(-seconds(gap) / kLifetimes_s[k]);
  alphas_.averaged = alpha_of(gap, kLoadTau);
  alphas_.pinned = alpha_of(gap, kPinnedTau);
  alphas_.judged = alpha_of(gap, kJudgedTau);
}

void Demand::follow(OfPath& path, double weight, TimePoint at) {
  if (weight == 0 && path.followed[lifetime_].flows > kLeft) jumped_ = at;
  const bool jump = jumped_ && at - *jumped_ <= kTogether && at >= *jumped_ - kTogether;
  for (std::size_t k = 0; k < kCandidates; ++k) {
    Followed& f = path.followed[k];
    if (path.seen == 0 || jump) f.flows = weight;
    f.flows += alphas_.flows[k] * (weight - f.flows);
    if (path.seen == 0) f.averaged = f.flows;
    f.averaged += alphas_.averaged * (f.flows - f.averaged);
  }
}

// All candidates tell the same while weights rest: then nothing can be learnt.
void Demand::judge(const OfPath& path, double carried_share) {
  const double spread = std::abs(path.followed.front().averaged - path.followed.back().averaged);
  if (spread < kApart) return;
  ++judged_;
  const double part = std::max(alphas_.judged, 1 / judged_);
  std::size_t best = 0;
  for (std::size_t k = 0; k < kCandidates; ++k) {
    const double off = carried_share - path.followed[k].averaged;
    error_[k] += part * (off * off - error_[k]);
    if (error_[k] < error_[best]) best = k;
  }
  if (judged_ >= kEnough && error_[best] < kBetter * error_[lifetime_]) lifetime_ = best;
}

std::optional<double> Demand::total_bit_s(TimePoint now) const {
  if (!newest_ || now - *newest_ > kReadingsCease) return std::nullopt;
  return sum_bit_s();
}

double Demand::sum_bit_s() const {
  double sum = 0;
  for (std::size_t i = 0; i < paths_.size(); ++i) sum += carried_bit_s(i);
  return sum;
}

double Demand::carried_bit_s(std::size_t path) const {
  if (path >= paths_.size() || !newest_) return 0;
  const OfPath& p = paths_[path];
  return p.carried.at(*newest_).value_or(0) + p.routing * control_.at(*newest_).value_or(0);
}

double Demand::pinned_bit_s(std::size_t path) const {
  if (path >= paths_.size()) return 0;
  double sum = 0;
  for (const OfPath& p : paths_) sum += p.pinned_bit_s;
  return paths_[path].pinned_bit_s - sum / static_cast<double>(paths_.size());
}

double Demand::predicted_bit_s(std::size_t path, double weight, double scale) const {
  if (path >= paths_.size() || !std::isfinite(weight)) return 0;
  return std::max(0.0,
                  scale * weight * sum_bit_s() + std::min(scale, kSilent) * pinned_bit_s(path));
}

}  // namespace hopwise::engine
