#include "core/engine/gain.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace hopwise::engine {

double stable_gain(int delay) {
  return 2 * std::sin(std::numbers::pi / (2 * (2 * std::max(delay, 0) + 1)));
}

double monotone_gain(int delay) {
  if (delay <= 0) return 1;
  const double d = delay;
  return std::pow(d / (d + 1), d) / (d + 1);
}

Schedule schedule(std::span<const double> shares, const Slopes& slopes, double gain, double floor) {
  double flat = 0;  // as if each cost rose by 1/2 over its whole share
  double predicted = 0;
  double measured = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double bend = shares[i] * (1 - shares[i]);
    flat += bend / 2;
    predicted += bend * slopes.predicted[i];
    measured += bend * slopes.measured[i];
  }
  gain = std::clamp(gain, 0.0, monotone_gain(0));
  const int delay = std::max(slopes.delay, 1);
  Schedule s;
  s.rate = gain / std::max(flat, floor / 2);
  if (measured > 0) s.rate = std::min(s.rate, std::min(gain, monotone_gain(delay)) / measured);
  s.gain = s.rate * predicted / (1 + s.rate * predicted);
  s.stable = stable_gain(0);
  if (s.rate * measured / stable_gain(delay) > s.gain / s.stable) {
    s.gain = s.rate * measured;
    s.stable = stable_gain(delay);
  }
  return s;
}

}  // namespace hopwise::engine
