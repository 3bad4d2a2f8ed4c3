#include "core/engine/plan.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr double kSurge = 0.06;       // more is no wavering
constexpr double kSurgeSigmas = 2.5;  // of the noise: 3 of its average over 5 s
constexpr double kFall = 2;           // deviations
constexpr double kProof = 6;          // e^6: by chance once in hours
constexpr double kMost = 10;          // deviations
constexpr Duration kMoves = std::chrono::seconds(60);
constexpr double kMoving_s = 15;
constexpr double kSlope_s = 5;
constexpr double kUsualNoise = 0.05;
constexpr double kLongest = 5;
constexpr double kPlanned_s = 60;

}  // namespace

void Plan::advance(Demand& demand, double elapsed_s, TimePoint now) {
  const auto bit_s = demand.total_bit_s(now);
  if (!bit_s || *bit_s < Demand::kLeast_bit_s) {
    bit_s_.reset();
    behind_.reset();
    demand.unplanned();
    return;
  }
  const double noise = std::sqrt(demand.variance(1)) / *bit_s;
  const double correlated_s = demand.lifetime_s() + seconds(kLoadTau);
  const bool another =
      bit_s_ && (surged(*bit_s, noise) || fell(*bit_s, noise, elapsed_s / (2 * correlated_s)));
  if (another) moved_ = now;
  if (another || !bit_s_) {
    bit_s_ = bit_s;
    fall_ = 0;
  }
  if (!moved_ || now - *moved_ > kMoves / 2) demand.missed(*bit_s - *bit_s_);
  const double tau_s = kPlanned_s * std::clamp(noise / kUsualNoise, 1.0, kLongest);
  const bool moves = moved_ && now - *moved_ < kMoves;
  track(*bit_s, elapsed_s);
  const double lead = moves ? demand.lifetime_s() * std::max(0.0, *bit_s - *behind_) / kSlope_s : 0;
  const double follow_s = !moves ? tau_s : lead > 0 ? kSlope_s : kMoving_s;
  *bit_s_ += (1 - std::exp(-elapsed_s / follow_s)) * (*bit_s + lead - *bit_s_);
  scale_ = *bit_s_ / *bit_s;
  error_ = std::sqrt(correlated_s / (correlated_s + tau_s));
}

// Lags by kSlope_s: what is missing tells the slope.
void Plan::track(double demand, double elapsed_s) {
  if (!behind_) behind_ = demand;
  *behind_ += (1 - std::exp(-elapsed_s / kSlope_s)) * (demand - *behind_);
}

bool Plan::surged(double demand, double noise) const {
  return demand - *bit_s_ > demand * std::max(kSurge, kSurgeSigmas * noise);
}

bool Plan::fell(double demand, double noise, double samples) {
  const double usual = std::max(kSurge / kSurgeSigmas, noise) * demand;
  const double below = std::clamp((*bit_s_ - demand) / usual, -kMost, kMost);
  fall_ = std::max(0.0, fall_ + samples * kFall * (below - kFall / 2));
  return fall_ > kProof;
}

}  // namespace hopwise::engine
