#include "probes/socket/departures.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr EthernetAddress kGateway{2, 0, 0, 0, 0, 1};
const Bytes kFrame{1, 2, 3, 4, 5, 6, 7, 8};

Departures::Stamp stamp(StampPoint point, std::uint32_t key, Duration at, std::uint32_t ifindex) {
  return {point, key, TimePoint(at), ifindex, kFrame, {std::span(kFrame).last(3), kGateway}};
}

}  // namespace

TEST_CASE("two stamps of one datagram are one departure", "[probes][departures]") {
  Departures departures(4);
  CHECK_FALSE(departures.note(stamp(StampPoint::queue, 9, 10us, 3)));
  const auto left = departures.note(stamp(StampPoint::driver, 9, 25us, 3));
  REQUIRE(left);
  CHECK(left->at == TimePoint(25us));
  CHECK(left->queued == 15us);
  CHECK(Bytes(left->message.begin(), left->message.end()) == Bytes{6, 7, 8});
  REQUIRE(left->hops.size() == 1);
  CHECK(left->hops[0] == Hop{3, kGateway});
}

TEST_CASE("every interface on the way is told, and the wait is from the first on",
          "[probes][departures]") {
  Departures departures(4);
  departures.note(stamp(StampPoint::queue, 9, 10us, 3));
  departures.note(stamp(StampPoint::queue, 9, 11us, 4));
  const auto left = departures.note(stamp(StampPoint::driver, 9, 30us, 4));
  REQUIRE(left);
  CHECK(left->queued == 20us);
  REQUIRE(left->hops.size() == 2);
  CHECK(left->hops[0].ifindex == 3);
  CHECK(left->hops[1].ifindex == 4);
}

TEST_CASE("datagrams wait in queues side by side", "[probes][departures]") {
  Departures departures(4);
  for (std::uint32_t key = 1; key <= 4; key++)
    departures.note(stamp(StampPoint::queue, key, key * 1us, key));
  for (std::uint32_t key = 4; key >= 1; key--) {
    const auto left = departures.note(stamp(StampPoint::driver, key, 10us, key));
    REQUIRE(left);
    CHECK(left->queued == 10us - key * 1us);
    CHECK(left->hops.size() == 1);
  }
}

TEST_CASE("a datagram that its queue dropped gives its place to another", "[probes][departures]") {
  Departures departures(4);
  departures.note(stamp(StampPoint::queue, 1, 1us, 3));
  departures.note(stamp(StampPoint::queue, 5, 2us, 4));
  const auto left = departures.note(stamp(StampPoint::driver, 5, 3us, 4));
  REQUIRE(left);
  CHECK(left->queued == 1us);
  CHECK(left->hops.size() == 1);
  // The first left after all: by which interface it went is known, how long it waited is not.
  const auto late = departures.note(stamp(StampPoint::driver, 1, 9us, 3));
  REQUIRE(late);
  CHECK_FALSE(late->queued);
  CHECK(late->hops.size() == 1);
}

TEST_CASE("a stamp whose time cannot be told proves the departure still", "[probes][departures]") {
  Departures departures(4);
  departures.note(stamp(StampPoint::queue, 1, 1us, 3));
  auto driver = stamp(StampPoint::driver, 1, 2us, 3);
  driver.at.reset();
  const auto left = departures.note(driver);
  REQUIRE(left);
  CHECK_FALSE(left->at);
  CHECK_FALSE(left->queued);
  CHECK(left->hops.size() == 1);
}

TEST_CASE("in a tunnel the message is the frame's end", "[probes][departures]") {
  Departures departures(4);
  departures.note(stamp(StampPoint::queue, 1, 1us, 3));
  auto wrapped = stamp(StampPoint::driver, 1, 2us, 4);
  wrapped.looped = {};
  const auto left = departures.note(wrapped);
  REQUIRE(left);
  CHECK(Bytes(left->message.begin(), left->message.end()) == Bytes{6, 7, 8});
  CHECK(left->hops.size() == 2);

  departures.note(stamp(StampPoint::queue, 2, 1us, 3));
  wrapped.key = 2;
  wrapped.frame = {};
  CHECK_FALSE(departures.note(wrapped));  // cut short: the end is missing
}

TEST_CASE("of more interfaces than there is room for, the first are told", "[probes][departures]") {
  Departures departures(4);
  for (std::uint32_t hop = 1; hop <= 9; hop++)
    departures.note(stamp(StampPoint::queue, 1, 1us, hop));
  const auto left = departures.note(stamp(StampPoint::driver, 1, 2us, 9));
  REQUIRE(left);
  CHECK(left->hops.size() == Departures::kHops);
}
