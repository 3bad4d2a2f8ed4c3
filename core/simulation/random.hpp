// Random numbers that are the same on every machine: SplitMix64 (Steele, Lea & Flood 2014), and the
// few distributions that the simulation needs. The standard library's distributions differ from one
// implementation to the next, and a scenario's seed must mean the same everywhere.
//
// Every process of the plant has a stream of its own, so that what a controller does changes no
// draw of another process: controllers are compared on common random numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace hopwise::simulation {

class Random {
 public:
  /// Streams of one seed are independent of each other.
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0)
      : state_(mix(seed + 0x9e3779b97f4a7c15ULL) ^ mix(~stream * 0xbf58476d1ce4e5b9ULL)) {}

  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15ULL); }
  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(double probability) { return uniform() < probability; }
  double exponential(double mean) { return -mean * std::log(1 - uniform()); }
  /// Mean 0, deviation 1 (Box & Muller 1958; the second value is thrown away).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  /// Above a mean of 60 by the normal approximation.
  std::uint32_t poisson(double mean) {
    if (mean > 60)
      return static_cast<std::uint32_t>(std::max(0.0, mean + std::sqrt(mean) * normal() + 0.5));
    std::uint32_t count = 0;
    const double limit = std::exp(-mean);
    for (double product = uniform(); product > limit; product *= uniform()) ++count;
    return count;
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

}  // namespace hopwise::simulation
