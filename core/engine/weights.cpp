#include "core/engine/weights.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/engine/arena.hpp"

namespace hopwise::engine {
namespace {

constexpr double kTiny = 1e-9;

double total(std::span<const double> x) {
  return std::accumulate(x.begin(), x.end(), 0.0);
}

// Puts the rounding error of a sum on the largest share, where it hurts no bound.
void close_sum(std::span<double> shares) {
  auto largest = std::max_element(shares.begin(), shares.end());
  *largest += 1 - total(shares);
}

}  // namespace

void exponential_step(std::span<const double> shares, std::span<const double> costs,
                      const StepLimits& limits, std::span<double> next, const Bend& bend) {
  const std::size_t n = shares.size();
  std::copy(shares.begin(), shares.end(), next.begin());
  if (n < 2) return;

  double mean = 0;
  for (std::size_t i = 0; i < n; ++i) mean += shares[i] * costs[i];
  if (!bend.loads.empty()) proximal_step(shares, costs, limits.rate, bend, next);
  for (std::size_t i = 0; bend.loads.empty() && i < n; ++i)
    next[i] = shares[i] * std::exp(std::clamp(-limits.rate * (costs[i] - mean), -20.0, 20.0));
  const double sum = total(next);
  Arena arena;
  Row<Bounds> bounds(n, arena);
  for (std::size_t i = 0; i < n; ++i) {
    next[i] = std::max(next[i] / sum, kTiny);
    bounds[i] = {std::min(limits.floor, shares[i]), 1};
  }
  bounded_shares(next, bounds, next);

  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(next[i] - shares[i]));
  if (largest > limits.max_step)
    for (std::size_t i = 0; i < n; ++i)
      next[i] = shares[i] + (next[i] - shares[i]) * limits.max_step / largest;
  close_sum(next);
}

std::vector<double> bounded_shares(std::span<const double> wanted, std::span<const Bounds> bounds) {
  std::vector<double> shares(wanted.size());
  bounded_shares(wanted, bounds, shares);
  return shares;
}

// Shares out what is left in proportion, and pins those that it would push over a bound: the side
// that errs more first, since pinning it can only relieve the other. At most n rounds, mostly two.
void bounded_shares(std::span<const double> asked, std::span<const Bounds> bounds,
                    std::span<double> shares) {
  const std::size_t n = asked.size();
  Arena arena;
  const Row<double> wanted(asked.begin(), asked.end(), arena);
  std::fill(shares.begin(), shares.end(), 0.0);
  double lower = 0;
  double upper = 0;
  for (const Bounds& b : bounds) {
    lower += std::min(b.lower, b.upper);
    upper += b.upper;
  }
  if (upper <= 0) return;
  const double give = upper < 1 ? 1 / upper : 1;    // upper bounds that cannot reach 1
  const double shrink = lower > 1 ? 1 / lower : 1;  // lower bounds that exceed it
  const auto high = [&](std::size_t i) { return bounds[i].upper * give; };
  const auto low = [&](std::size_t i) { return std::min(bounds[i].lower * shrink, high(i)); };

  Row<bool> pinned(n, false, arena);
  while (true) {
    double left = 1;
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (pinned[i])
        left -= shares[i];
      else
        sum += std::max(wanted[i], kTiny);
    }
    if (sum <= 0) break;
    double over = 0;
    double under = 0;
    for (std::size_t i = 0; i < n; ++i) {
      if (pinned[i]) continue;
      shares[i] = std::max(wanted[i], kTiny) / sum * left;
      over += std::max(0.0, shares[i] - high(i));
      under += std::max(0.0, low(i) - shares[i]);
    }
    if (over <= 0 && under <= 0) break;
    for (std::size_t i = 0; i < n; ++i) {
      if (pinned[i] || (over >= under ? shares[i] <= high(i) : shares[i] >= low(i))) continue;
      pinned[i] = true;
      shares[i] = over >= under ? high(i) : low(i);
    }
  }
  close_sum(shares);
}

}  // namespace hopwise::engine
