// Round-trip times whatever the protocol: echoes, moved flows, and answers that come too late.
#include "test/bpf/measured.hpp"

using namespace hopwise;
using namespace hopwise::test;
using namespace std::chrono_literals;

TEST_CASE("no sample spans a move, and the old path's time is forgotten", "[bpf][measure]") {
  Measured m(Family::v4);
  m.connect();
  m.flow.send({.sequence = 1001, .payload = 100});
  const std::uint32_t left = m.flow.nexthop();
  CHECK(m.flow.entry().seen.rtt_us > 0);
  m.router.dataplane().set_nexthop_usable(NexthopId{left}, false);
  m.flow.send({.sequence = 1101, .acknowledged = 5001});
  REQUIRE(m.flow.nexthop() != left);
  CHECK(m.flow.entry().seen.rtt_us == 0);
  m.flow.age(kPath);
  m.flow.receive({.sequence = 5001, .acknowledged = 1101});
  CHECK_FALSE(m.reading());
  m.takes(
      PassiveMethod::sequence, [&] { m.flow.send({.sequence = 1101, .payload = 100}); },
      [&] { m.flow.receive({.sequence = 5001, .acknowledged = 1201}); });
}

TEST_CASE("an echo that passes through is timed by its number", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6), IPPROTO_ICMP);
  m.takes(
      PassiveMethod::echo, [&] { m.flow.ping(65535); },
      [&] {
        m.flow.pong(65534);
        m.flow.pong(65535);
        m.flow.pong(65535);
      });
  m.flow.ping(7);
  m.flow.age(kPath);
  m.flow.ping(7);
  m.flow.pong(7);
  CHECK_FALSE(m.reading());
}

TEST_CASE("an answer that comes too late is none, and its packet makes room", "[bpf][measure]") {
  Measured m(Family::v4, IPPROTO_ICMP);
  m.flow.ping(1);
  m.flow.age(10s);
  m.flow.pong(1);
  CHECK_FALSE(m.reading());
  m.flow.ping(2);
  m.flow.age(3s + 20ms);  // by the coarse clock, which lags
  m.takes(
      PassiveMethod::echo, [&] { m.flow.ping(3); }, [&] { m.flow.pong(3); });
}

TEST_CASE("a stamp that is ahead of the coarse clock is not too old", "[bpf][measure]") {
  Measured m(Family::v4, IPPROTO_ICMP);
  m.flow.ping(1);
  m.flow.age(-20ms);
  m.flow.ping(2);
  m.flow.age(20ms + kPath);
  m.flow.pong(2);
  CHECK_FALSE(m.reading());
  m.flow.pong(1);
  const auto rtt = m.reading();
  REQUIRE(rtt);
  CHECK(rtt->mean >= kPath);
}
