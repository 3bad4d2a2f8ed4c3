// The gain of the slow law's loop, scheduled so that the loop is stable.
//
// Linearised at the shares w, a step of exponential weights moves dw = -eta (diag(w) - w w') S dw,
// with S the slopes of the costs in the shares. Its largest eigenvalue is at most the trace,
// g = eta sum w_i (1 - w_i) S_i, and for two paths it is that. Two loops close over the same step:
//
// - of the predicted load, which is arithmetic and has no delay. A step that took the costs as they
//   are now would be stable for g < 2 and not overshoot for g <= 1. This one takes them as it makes
//   them (load.hpp): what g would be becomes g / (1 + g), below 1 at whatever rate;
// - of measured queues, which answer d epochs late: stable iff g < 2 sin(pi / (2 (2d + 1))),
// without
//   overshoot iff g <= d^d / (d + 1)^(d + 1) (roots of z^(d+1) - z^d + g; Kuruklis 1994).
//
// So eta is what is sensible where nothing bends, g* over sum w_i (1 - w_i) / 2, and less where
// measured queues demand it.
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
