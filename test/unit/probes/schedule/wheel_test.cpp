#include "probes/schedule/wheel.hpp"

#include <map>
#include <random>
#include <set>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000s};

std::multiset<Wheel::Item> take_all(Wheel& wheel, TimePoint now) {
  std::multiset<Wheel::Item> taken;
  while (const auto item = wheel.take(now)) taken.insert(*item);
  return taken;
}

}  // namespace

TEST_CASE("an empty wheel has nothing to do", "[wheel]") {
  Wheel wheel(kStart);
  CHECK_FALSE(wheel.next());
  CHECK_FALSE(wheel.take(kStart + 1h));
}

TEST_CASE("an item is due at its time, not before, and once", "[wheel]") {
  Wheel wheel(kStart);
  wheel.set(7, kStart + 20ms);
  CHECK(wheel.next() == kStart + 20ms);
  CHECK_FALSE(wheel.take(kStart + 20ms - 1ns));
  CHECK(wheel.take(kStart + 20ms) == 7U);
  CHECK_FALSE(wheel.take(kStart + 20ms));
  CHECK_FALSE(wheel.next());
}

TEST_CASE("an item that is moved is due at its new time alone", "[wheel]") {
  Wheel wheel(kStart);
  wheel.set(0, kStart + 20ms);
  wheel.set(0, kStart + 500ms);
  CHECK_FALSE(wheel.take(kStart + 100ms));
  wheel.set(0, kStart + 200ms);
  CHECK(wheel.take(kStart + 200ms) == 0U);
  CHECK_FALSE(wheel.take(kStart + 1s));
}

TEST_CASE("what is further away than a turn of the wheel is not due earlier", "[wheel]") {
  Wheel wheel(kStart);
  wheel.set(0, kStart + 60s);
  TimePoint now = kStart;
  int looks = 0;
  for (; now < kStart + 60s; looks++) {
    REQUIRE_FALSE(wheel.take(now));
    REQUIRE(wheel.next());
    REQUIRE(*wheel.next() > now);
    now = *wheel.next();
  }
  CHECK(wheel.take(now) == 0U);
  CHECK(now == kStart + 60s);
  CHECK(looks <= 17);  // a look a turn
}

TEST_CASE("what is overdue already is taken at the next look", "[wheel]") {
  Wheel wheel(kStart);
  CHECK_FALSE(wheel.take(kStart + 10s));
  wheel.set(3, kStart);
  CHECK(take_all(wheel, kStart + 10s + Wheel::kTick).count(3) == 1);
}

TEST_CASE("the wheel gives what an ordered list would", "[wheel]") {
  std::minstd_rand chance(GENERATE(1U, 2U, 3U, 4U));
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(chance() % n); };
  Wheel wheel(kStart);
  std::map<Wheel::Item, TimePoint> naive;  // when each may be taken, and must a tick later
  TimePoint now = kStart;
  for (int step = 0; step < 20000; step++) {
    const Wheel::Item item = below(200);
    switch (below(8)) {
      case 0:
        wheel.remove(item);
        naive.erase(item);
        break;
      case 1:
        now += std::chrono::microseconds(below(step % 100 == 0 ? 20'000'000 : 3000));
        break;
      case 2: {
        const auto next = wheel.next();
        REQUIRE(next.has_value() == !naive.empty());
        for (const auto& [i, due] : naive) REQUIRE(*next <= std::max(due, now) + Wheel::kTick);
        for (const Wheel::Item taken : take_all(wheel, now)) {
          REQUIRE(naive.contains(taken));
          REQUIRE(naive[taken] <= now);
          naive.erase(taken);
        }
        for (const auto& [i, due] : naive) REQUIRE(due > now - Wheel::kTick);
        break;
      }
      default: {
        const auto due = now + std::chrono::microseconds(below(step % 10 == 0 ? 30'000'000 : 9000));
        wheel.set(item, due);
        naive[item] = due;
      }
    }
  }
}
