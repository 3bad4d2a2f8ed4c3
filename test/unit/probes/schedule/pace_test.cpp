#include "probes/schedule/pace.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

TEST_CASE("nothing is called lost before the longest timeout while no reply was seen", "[pace]") {
  CHECK(RoundTrip().timeout(Options{}) == Options{}.max_timeout);
}

TEST_CASE("the timeout follows the round trip between its bounds", "[pace]") {
  const Options options;  // 100 ms to 1 s
  RoundTrip near, far, beyond;
  for (int i = 0; i < 100; i++) {
    near.observe(1ms);
    far.observe(200ms);
    beyond.observe(900ms);
  }
  CHECK(near.timeout(options) == 100ms);
  CHECK(far.timeout(options) == 400ms);
  CHECK(beyond.timeout(options) == 1s);
}

TEST_CASE("deviation widens the timeout, as RFC 6298 computes it", "[pace]") {
  RoundTrip rtt;
  rtt.observe(100ms);  // srtt 100, rttvar 50
  CHECK(rtt.timeout(Options{}) == 300ms);
  rtt.observe(180ms);  // rttvar 50 + (80 - 50) / 4, srtt 100 + 80 / 8
  CHECK(rtt.timeout(Options{}) == 110ms + 4 * 57500us);
}

TEST_CASE("a step in delay is one beyond four deviations and five milliseconds", "[pace]") {
  RoundTrip rtt;
  CHECK_FALSE(rtt.is_excursion(1h));
  for (int i = 0; i < 200; i++) rtt.observe(20ms);
  CHECK_FALSE(rtt.is_excursion(25ms));
  CHECK(rtt.is_excursion(26ms));
  for (int i = 0; i < 200; i++) rtt.observe(i % 2 == 0 ? 15ms : 25ms);  // rttvar near 5 ms
  CHECK_FALSE(rtt.is_excursion(35ms));
  CHECK(rtt.is_excursion(50ms));
}

TEST_CASE("jitter takes away at most a quarter of the interval", "[pace]") {
  CHECK(jittered(200ms, 0.0) == 150ms);
  CHECK(jittered(200ms, 0.5) == 175ms);
  CHECK(jittered(200ms, 0.999999) <= 200ms);
}
