#include "probes/socket/clock.hpp"

namespace hopwise::probes {
namespace {

// What two honest clocks may differ by: their reading, and the rate at which NTP slews (500 ppm).
constexpr Duration kReading = std::chrono::microseconds(20);
constexpr int kSlew = 1000;

}  // namespace

ClockPair ClockPair::now() {
  using std::chrono::steady_clock;
  ClockPair best;
  Duration narrowest = Duration::max();
  // An interrupt between the reads sets them apart; the narrowest of three is near enough.
  for (int tries = 0; tries < 3 && narrowest > kReading / 10; tries++) {
    const TimePoint before = steady_clock::now();
    const auto wall = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    const TimePoint after = steady_clock::now();
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    best = {before + narrowest / 2, wall};
  }
  return best;
}

bool ClockBridge::sight(const ClockPair& now) {
  const Duration monotonic = now.monotonic - last_.monotonic;
  const Duration wall = now.wall - last_.wall;
  last_ = now;
  return std::chrono::abs(wall - monotonic) <= kReading + monotonic / kSlew;
}

std::optional<TimePoint> ClockBridge::monotonic(WallTime stamp) const {
  if (stamp > last_.wall) return {};
  return last_.monotonic - (last_.wall - stamp);
}

void StampClock::begin_turn() {
  held_last_ = held_;
  held_ = true;
}

void StampClock::look(const ClockPair& now) {
  held_ = bridge_.sight(now) && held_;
}

std::optional<TimePoint> StampClock::at(WallTime stamp) const {
  if (!held_ || !held_last_) return {};
  return bridge_.monotonic(stamp);
}

}  // namespace hopwise::probes
