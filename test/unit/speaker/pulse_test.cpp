#include "core/speaker/pulse.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::speaker;
using namespace std::chrono_literals;

namespace {

TimePoint at(Duration since_start) {
  return TimePoint(1h) + since_start;
}

}  // namespace

TEST_CASE("a process that was never there is absent, not dead", "[speaker]") {
  Pulse pulse("bfdd");
  CHECK_FALSE(pulse.heard(Fate::unreachable, "no socket", {}, at(0s)).has_value());
  CHECK(pulse.health() == SpeakerHealth::absent);
  CHECK(pulse.heard(Fate::answered, "", {7, 3s}, at(1s)).has_value());
  CHECK(pulse.alive());
  const auto died = pulse.heard(Fate::unreachable, "Connection refused", {}, at(2s));
  REQUIRE(died.has_value());
  CHECK(died->before == SpeakerHealth::alive);
  CHECK(pulse.health() == SpeakerHealth::dead);
  CHECK(pulse.because() == "Connection refused");
  CHECK_FALSE(pulse.status(at(5s)).uptime.has_value());
  CHECK(pulse.status(at(5s)).since == 3s);
}

TEST_CASE("a closed connection is no death until nobody answers again", "[speaker]") {
  Pulse pulse("zebra");
  pulse.heard(Fate::answered, "", {7, 3s}, at(0s));
  CHECK_FALSE(pulse.heard(Fate::closed, "closed", {}, at(1s)).has_value());
  CHECK(pulse.alive());
}

TEST_CASE("another process in its place is a restart", "[speaker]") {
  Pulse pulse("zebra");
  pulse.heard(Fate::answered, "", {7, 3s}, at(0s));
  CHECK(pulse.status(at(10s)).uptime == 13s);
  CHECK_FALSE(pulse.heard(Fate::rejected, "", {7, 4s}, at(1s)).has_value());
  const auto restarted = pulse.heard(Fate::answered, "", {8, 1s}, at(2s));
  REQUIRE(restarted.has_value());
  CHECK(restarted->restarted);
  CHECK(pulse.status(at(3s)).restarts == 1);
  CHECK(pulse.status(at(3s)).uptime == 2s);
}

TEST_CASE("one that does not answer is silent, and alive by its next answer", "[speaker]") {
  Pulse pulse("zebra");
  pulse.heard(Fate::answered, "", {7, 3s}, at(0s));
  CHECK(pulse.heard(Fate::silent, "no answer within 5 s", {}, at(5s)).has_value());
  CHECK(pulse.health() == SpeakerHealth::silent);
  CHECK_FALSE(pulse.heard(Fate::garbled, "too long", {}, at(6s)).has_value());
  CHECK(pulse.heard(Fate::answered, "", {7, 9s}, at(7s)).has_value());
  CHECK(pulse.status(at(7s)).restarts == 0);
}
