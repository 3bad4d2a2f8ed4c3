#include "core/bgp/hold_off.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::bgp;
using namespace std::chrono_literals;
using Ending = HoldOff::Ending;

TEST_CASE("a peer that flaps waits twice as long each time, one that stays does not", "[bgp]") {
  HoldOff hold_off;
  TimePoint now{1h};
  const auto flap = [&] {
    const TimePoint until = hold_off.ended(now, now + 1s, Ending::usual);
    now += 1s;
    const Duration wait = until - now;
    CHECK(hold_off.holds(now) == (wait > Duration{}));
    now = until;
    CHECK_FALSE(hold_off.holds(now));
    return wait;
  };
  CHECK(flap() == 0s);  // a restart is no flap
  CHECK(flap() == 500ms);
  CHECK(flap() == 1s);
  CHECK(flap() == 2s);
  for (int i = 0; i < 10; i++) flap();
  CHECK(flap() == HoldOff::kMost);
  CHECK(hold_off.ended(now, now + HoldOff::kStable, Ending::usual) == now + HoldOff::kStable);
}

TEST_CASE("too many prefixes are a longer wait at once", "[bgp]") {
  HoldOff hold_off;
  TimePoint now{1h};
  CHECK(hold_off.ended(now, now, Ending::too_many_prefixes) == now + 1min);
  now += 1min;
  CHECK(hold_off.ended(now, now, Ending::too_many_prefixes) == now + 2min);
  for (int i = 0; i < 10; i++) hold_off.ended(now, now, Ending::too_many_prefixes);
  CHECK(hold_off.ended(now, now, Ending::too_many_prefixes) == now + 15min);
}
