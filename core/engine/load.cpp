#include "core/engine/load.hpp"

#include <algorithm>
#include <cstddef>

namespace hopwise::engine {
namespace {

constexpr double kFull = 1.5;  // phi(1)
constexpr double kWidth = 1 - kLoadKnee;
constexpr double kSteep = 2 * kFull / kWidth;  // phi'(1), and beyond
constexpr double kMost = 10;                   // absurd capacities end here
constexpr int kHalvings = 20;

}  // namespace

double load_cost(double rho) {
  if (!(rho > kLoadKnee)) return 0;
  if (rho >= 1) return kFull + kSteep * (std::min(rho, kMost) - 1);
  const double u = (rho - kLoadKnee) / kWidth;
  return kFull * u * u;
}

double load_slope(double rho) {
  if (!(rho > kLoadKnee)) return 0;
  if (rho >= 1) return rho < kMost ? kSteep : 0;
  return kSteep * (rho - kLoadKnee) / kWidth;
}

double LoadLine::utilisation(double share) const {
  const double load = fixed_bit_s + share * movable_bit_s;
  if (load <= 0) return 0;
  return capacity_bit_s > 0 ? std::min(load / capacity_bit_s, kMost) : kMost;
}

double LoadLine::slope(double share) const {
  if (!known || capacity_bit_s <= 0) return 0;
  return load_slope(utilisation(share)) * movable_bit_s / capacity_bit_s;
}

// The derivative of the potential along the step grows with t: its zero is found by halving.
double worthwhile_part(std::span<const double> shares, std::span<const double> next,
                       std::span<const double> costs, std::span<const LoadLine> loads,
                       double load_weight) {
  const auto calls = [&](double t) {
    double along = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const double d = next[i] - shares[i];
      const double later = loads[i].cost(shares[i] + t * d) - loads[i].cost(shares[i]);
      along += d * (costs[i] + load_weight * later);
    }
    return along < 0;
  };
  if (calls(1)) return 1;
  double low = 0;
  double high = 1;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (calls(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace hopwise::engine
