#include "core/engine/load.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace hopwise::engine {
namespace {

constexpr double kFull = 1.5;  // phi(1)
constexpr double kWidth = 1 - kLoadKnee;
constexpr double kSteep = 2 * kFull / kWidth;  // phi'(1), and beyond
constexpr double kMost = 10;                   // absurd capacities end here
constexpr double kSurely = 6;                  // deviations
constexpr int kNewton = 40;
constexpr double kNear = 1e-9;
constexpr double kLeastShare = 1e-6;

double density(double z) {
  return std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

double below(double z) {
  return std::erfc(-z / std::numbers::sqrt2) / 2;
}

// E[max(0, u + sigma Z)] and E[max(0, u + sigma Z)^2] of a normal Z.
double mean_beyond(double u, double sigma) {
  if (!(std::abs(u) < kSurely * sigma)) return std::max(u, 0.0);
  const double z = u / sigma;
  return u * below(z) + sigma * density(z);
}

double mean_square(double u, double sigma) {
  if (!(std::abs(u) < kSurely * sigma)) return u > 0 ? u * u + sigma * sigma : 0;
  const double z = u / sigma;
  return (u * u + sigma * sigma) * below(z) + u * sigma * density(z);
}

}  // namespace

double load_cost(double rho, double sigma) {
  if (!(rho > 0)) return 0;
  const double u = std::min(rho, kMost) - kLoadKnee;
  return kFull / (kWidth * kWidth) * (mean_square(u, sigma) - mean_square(u - kWidth, sigma));
}

double load_slope(double rho, double sigma) {
  if (!(rho > 0) || rho >= kMost) return 0;
  const double u = rho - kLoadKnee;
  return kSteep / kWidth * (mean_beyond(u, sigma) - mean_beyond(u - kWidth, sigma));
}

bool BookedLoad::fills(double bit_s, double capacity, double deviations) const {
  return bit_s >= kNearlyFull * capacity ||
         bit_s + deviations * std::sqrt(std::max(0.0, variance)) >= capacity;
}

double LoadLine::utilisation(double share) const {
  const double load = fixed_bit_s + share * movable_bit_s;
  if (load <= 0) return 0;
  return capacity_bit_s > 0 ? std::min(load / capacity_bit_s, kMost) : kMost;
}

double LoadLine::slope(double share) const {
  if (!known || capacity_bit_s <= 0) return 0;
  return load_slope(utilisation(share), sigma()) * movable_bit_s / capacity_bit_s;
}

namespace {

// x of x + rate c(share e^x) = mu, and dx/dmu. The left side is convex and grows: Newton's steps
// from the right never cross the zero.
struct Root {
  double x = 0;
  double slope = 1;
};

Root root(double share, double still, double mu, double rate, const LoadLine& load, double weight) {
  Root r{std::min(mu - rate * still, -std::log(share)), 1};
  for (int i = 0; i < kNewton; ++i) {
    const double w = share * std::exp(r.x);
    r.slope = 1 + rate * weight * load.slope(w) * w;
    const double excess = r.x + rate * (still + weight * load.cost(w)) - mu;
    if (excess < kNear) break;
    r.x -= excess / r.slope;
  }
  r.slope = 1 / r.slope;
  return r;
}

}  // namespace

void proximal_step(std::span<const double> shares, std::span<const double> costs, double rate,
                   const Bend& bend, std::span<double> next) {
  const auto [least, most] = std::minmax_element(costs.begin(), costs.end());
  double low = rate * *least;
  double high = rate * *most;
  double mu = low;
  for (std::size_t i = 0; i < shares.size(); ++i) mu += shares[i] * (rate * costs[i] - low);
  for (int turn = 0; turn < 2 * kNewton; ++turn) {
    double sum = 0;
    double slope = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const double share = std::max(shares[i], kLeastShare);
      const double still = costs[i] - bend.weight * bend.loads[i].cost(shares[i]);
      const Root r = root(share, still, mu, rate, bend.loads[i], bend.weight);
      next[i] = share * std::exp(r.x);
      sum += next[i];
      slope += next[i] * r.slope;
    }
    if (std::abs(sum - 1) < kNear) break;
    (sum < 1 ? low : high) = mu;
    // Newton's step, and in turn the bracket's middle, so that neither shares of 1 nor the end of
    // the cost's growth can stall it.
    mu += (1 - sum) / std::max(slope, kNear);
    if (turn % 2 == 1 || !(mu > low && mu < high)) mu = (low + high) / 2;
  }
  double sum = 0;
  for (const double w : next) sum += w;
  for (double& w : next) w /= sum;
}

}  // namespace hopwise::engine
