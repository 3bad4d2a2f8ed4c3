// How old a withdrawal was when a packet still went there.
#include "test/lab/sightings.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {

constexpr StampNs kMillisecond = 1'000'000;

Offers offers(int at_ms, std::set<std::size_t> upstreams, Family family = Family::v4) {
  return {at_ms * kMillisecond, family, std::move(upstreams)};
}
Sighting seen(int at_ms, std::size_t upstream, Family family = Family::v4) {
  return {at_ms * kMillisecond, upstream, family};
}
Stale judged(const std::vector<Offers>& changes, const std::vector<Sighting>& sightings,
             int from_ms = 0, int to_ms = 10'000) {
  return stale_packets(changes, sightings, from_ms * kMillisecond, to_ms * kMillisecond);
}

}  // namespace

TEST_CASE("the last packet after a withdrawal tells how long it was not heeded") {
  const auto stale = judged({offers(0, {0, 1}), offers(100, {1})},
                            {seen(99, 0), seen(101, 0), seen(130, 0), seen(500, 1)});
  CHECK(stale.withdrawals == 1);
  CHECK(stale.packets == 2);
  CHECK(stale.worst == 30ms);
}

TEST_CASE("a packet to an upstream that is offered again is none too late") {
  const auto stale = judged({offers(0, {0, 1}), offers(100, {1}), offers(200, {0, 1})},
                            {seen(110, 0), seen(201, 0)});
  CHECK(stale.withdrawals == 1);
  CHECK(stale.packets == 1);
  CHECK(stale.worst == 10ms);
}

TEST_CASE("families and upstreams are judged apart") {
  const std::vector<Offers> changes{offers(0, {0, 1}), offers(0, {0, 1}, Family::v6),
                                    offers(100, {}, Family::v6)};
  CHECK(judged(changes, {seen(150, 0), seen(150, 1)}).packets == 0);
  const auto stale = judged(changes, {seen(150, 0, Family::v6), seen(170, 1, Family::v6)});
  CHECK(stale.withdrawals == 2);
  CHECK(stale.worst == 70ms);
}

TEST_CASE("withdrawals before the time in question do not count, nor packets after it") {
  const std::vector<Offers> changes{offers(0, {0, 1}), offers(100, {1}), offers(200, {})};
  const auto stale = judged(changes, {seen(250, 0), seen(250, 1), seen(450, 1)}, 150, 400);
  CHECK(stale.withdrawals == 1);
  CHECK(stale.packets == 1);
  CHECK(stale.worst == 50ms);
}
