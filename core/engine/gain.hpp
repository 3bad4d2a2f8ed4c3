// The gain of the slow law's loop, scheduled so that the loop is stable.
//
// Linearised at the shares w, a step of exponential weights moves dw = -eta (diag(w) - w w') S dw,
// with S the slopes of the costs in the shares. Its largest eigenvalue is at most the trace,
// g = eta sum w_i (1 - w_i) S_i, and for two paths it is that. Two loops close over the same step:
//
// - of the predicted load, which is arithmetic and has no delay: stable for g < 2, without overshoot
//   for g <= 1; the step is also cut by line search (load.hpp), whatever the gain;
// - of measured queues, which answer d epochs late: stable iff g < 2 sin(pi / (2 (2d + 1))), without
//   overshoot iff g <= d^d / (d + 1)^(d + 1) (roots of z^(d+1) - z^d + g; Kuruklis 1994).
//
// eta is the largest that keeps both within their figures, and no larger than is sensible where
// nothing bends.
#pragma once

#include <span>

namespace hopwise::engine {

/// Below this gain a loop that answers `delay` epochs late is stable ...
double stable_gain(int delay);
/// ... and up to this one it does not overshoot.
double monotone_gain(int delay);

struct Slopes {
  std::span<const double> predicted{};  // d cost / d share, of the load that is predicted
  std::span<const double> measured{};   // of queues that are measured
  int delay = 1;                        // of the measured ones, in epochs, >= 1
};

struct Schedule {
  double rate = 0;    // eta
  double gain = 0;    // of the loop that comes nearer to its limit
  double stable = 2;  // that limit
};

/// `gain` is g* of the loop without delay, 0..1.
Schedule schedule(std::span<const double> shares, const Slopes& slopes, double gain, double floor);

}  // namespace hopwise::engine
