// Time as hopwise counts it: CLOCK_MONOTONIC, in nanoseconds, the clock that the BPF programs read
// too. Steps of the wall clock change nothing. Pure code takes a TimePoint; it never asks for one.
#pragma once

#include <chrono>

namespace hopwise {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;
/// CLOCK_REALTIME, since 1970: only for what other hosts say or are told.
using WallTime = std::chrono::sys_time<Duration>;

/// Seconds as a real number: for arithmetic and for Prometheus, which wants base units.
constexpr double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

/// Milliseconds as a real number: for people.
constexpr double milliseconds(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

}  // namespace hopwise
