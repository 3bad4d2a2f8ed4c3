// The arithmetic of shares: one step of the slow law, and the shares that limits leave over.
// Every result sums to 1 (or is all 0 where nothing may carry traffic) and respects its bounds.
#pragma once

#include <span>
#include <vector>

#include "core/engine/load.hpp"

namespace hopwise::engine {

struct StepLimits {
  double rate = 1;         // eta
  double max_step = 0.02;  // no share moves further
  double floor = 0.01;     // no share falls below (nor further, if it already lies there)
};

/// One epoch of exponential weights (Littlestone & Warmuth 1994), w'_i ~ w_i exp(-eta (c_i - c)),
/// into `next`, which is as long as `shares`. `rate` is eta, as gain.hpp schedules it. Where loads
/// are known, with the costs as the step makes them: proximal_step().
void exponential_step(std::span<const double> shares, std::span<const double> costs,
                      const StepLimits& limits, std::span<double> next, const Bend& bend = {});

struct Bounds {
  double lower = 0;
  double upper = 1;
};

/// The shares nearest in proportion to `wanted` (> 0) within `bounds`: w_i = clamp(k wanted_i) for
/// the one k that sums to 1. An upper bound of 0 excludes; where the upper bounds leave no way to
/// reach 1 they give way in proportion, and so do lower bounds that exceed it.
std::vector<double> bounded_shares(std::span<const double> wanted, std::span<const Bounds> bounds);
/// The same into `shares`, as long as they are: it may be `wanted` itself.
void bounded_shares(std::span<const double> wanted, std::span<const Bounds> bounds,
                    std::span<double> shares);

}  // namespace hopwise::engine
