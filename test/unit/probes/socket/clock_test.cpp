#include "probes/socket/clock.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {
ClockPair pair_at(Duration monotonic, Duration wall) {
  return {TimePoint(monotonic), WallTime(wall)};
}
}  // namespace

TEST_CASE("a wall clock stamp is read on the monotonic clock", "[clock]") {
  ClockBridge bridge(pair_at(10s, 1000s));
  REQUIRE(bridge.sight(pair_at(11s, 1001s)));
  CHECK(bridge.monotonic(WallTime(1000s + 250ms)) == TimePoint(10s + 250ms));
}

TEST_CASE("a step of the wall clock, either way, is seen once", "[clock]") {
  const Duration step = GENERATE(5ms, -5ms, 3600s, -3600s);
  ClockBridge bridge(pair_at(10s, 5000s));
  CHECK_FALSE(bridge.sight(pair_at(10s + 200ms, 5000s + 200ms + step)));
  CHECK(bridge.sight(pair_at(10s + 400ms, 5000s + 400ms + step)));
  CHECK(bridge.monotonic(WallTime(5000s + 300ms + step)) == TimePoint(10s + 300ms));
}

TEST_CASE("NTP may slew the wall clock by 500 ppm", "[clock]") {
  ClockBridge bridge(pair_at(10s, 1000s));
  CHECK(bridge.sight(pair_at(11s, 1001s + 500us)));
  CHECK(bridge.sight(pair_at(12s, 1002s)));
}

TEST_CASE("a stamp from the future is not believed", "[clock]") {
  ClockBridge bridge(pair_at(10s, 1000s));
  CHECK_FALSE(bridge.monotonic(WallTime(1000s + 1ns)));
}

TEST_CASE("both clocks are read at one moment", "[clock]") {
  ClockBridge bridge(ClockPair::now());
  const ClockPair later = ClockPair::now();
  CHECK(later.monotonic >= bridge.last());
}

TEST_CASE("a step voids the stamps of the turn that notices it, and of the next", "[clock]") {
  const Duration step = GENERATE(5ms, -5ms, 3600s, -3600s);
  StampClock clock(pair_at(10s, 5000s));
  clock.begin_turn();
  clock.look(pair_at(11s, 5001s));
  CHECK(clock.at(WallTime(5000s + 500ms)) == TimePoint(10s + 500ms));

  clock.begin_turn();
  clock.look(pair_at(12s, 5002s));
  CHECK(clock.at(WallTime(5001s + 500ms)));
  clock.look(pair_at(13s, 5003s + step));
  CHECK_FALSE(clock.at(WallTime(5001s + 500ms)));
  clock.look(pair_at(14s, 5004s + step));
  CHECK_FALSE(clock.at(WallTime(5001s + 500ms)));

  clock.begin_turn();
  clock.look(pair_at(15s, 5005s + step));
  CHECK_FALSE(clock.at(WallTime(5004s + step)));

  clock.begin_turn();
  clock.look(pair_at(16s, 5006s + step));
  CHECK(clock.at(WallTime(5005s + 500ms + step)) == TimePoint(15s + 500ms));
}

TEST_CASE("a clock that is set and set back between two looks moves no stamp between them",
          "[clock]") {
  StampClock clock(pair_at(10s, 5000s));
  clock.begin_turn();
  clock.look(pair_at(11s, 5001s));
  // Stamped while the clock was ahead: it lies in the future, and is not believed.
  CHECK_FALSE(clock.at(WallTime(5001s + 1h)));
}
