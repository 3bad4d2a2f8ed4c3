// Retransmissions and ECN's echoes: what counts, for which path, and what does not.
#include "test/bpf/conversation.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kStart = 0xfffffe00;  // so that numbers wrap soon
constexpr std::size_t kSegment = 200;

// A connection with `sent` segments under way, none acknowledged.
struct Sender {
  explicit Sender(Family family = Family::v4, std::uint32_t sent = 0, std::uint16_t ask = 0,
                  std::uint16_t grant = 0)
      : flow((router.two_upstreams(), router), family) {
    flow.send({.sequence = kStart - 1, .flags = static_cast<std::uint16_t>(kSyn | ask)});
    flow.receive({.sequence = 99,
                  .acknowledged = kStart,
                  .flags = static_cast<std::uint16_t>(kSyn | kAck | grant)});
    flow.send({.sequence = kStart, .acknowledged = 100});
    for (std::uint32_t i = 0; i < sent; ++i) segment(i);
  }

  static std::uint32_t at(std::uint32_t i) {
    return kStart + i * static_cast<std::uint32_t>(kSegment);
  }
  void segment(std::uint32_t i) {
    flow.send({.sequence = at(i), .acknowledged = 100, .payload = kSegment});
  }
  void acknowledge(std::uint32_t i, std::uint16_t window = 1000) {
    flow.receive({.sequence = 100, .acknowledged = at(i), .window = window});
  }
  void check(std::uint64_t segments, std::uint64_t retransmitted) {
    CHECK(flow.traffic().segments == segments);
    CHECK(flow.traffic().retransmitted == retransmitted);
    CHECK(flow.entry().seen.segments == segments);
    CHECK(flow.entry().seen.retransmitted == retransmitted);
  }

  Router router;
  Conversation flow;
};

}  // namespace

TEST_CASE("data that is sent again counts as retransmitted", "[bpf][measure]") {
  Sender s(GENERATE(Family::v4, Family::v6), 4);
  s.check(4, 0);
  s.flow.age(50ms);
  s.segment(0);
  s.check(5, 1);
  s.acknowledge(4);
  s.segment(4);
  s.check(6, 1);
}

TEST_CASE("data that was overtaken on its way to us is no retransmission", "[bpf][measure]") {
  Sender s;
  s.segment(0);
  s.segment(2);
  s.segment(1);  // a segment behind, at once
  s.check(3, 0);
  SECTION("but it is later than a quarter of the round-trip time") {
    hw_flow entry = s.flow.entry();
    entry.seen.rtt_us = 40000;
    s.flow.set_entry(entry);
    s.segment(4);
    s.flow.age(20ms);  // a tick is 10 ms at most
    s.segment(3);
    s.check(5, 1);
  }
  SECTION("nor when another CPU has a time for what overtook it that is not yet on this one") {
    s.segment(4);
    s.flow.age(-20ms);
    s.segment(3);
    s.check(5, 0);
  }
  SECTION("nor when it is within a quarter of a long round-trip time") {
    hw_flow entry = s.flow.entry();
    entry.seen.rtt_us = 400'000'000;  // so long that the test is not
    s.flow.set_entry(entry);
    s.segment(4);
    s.flow.age(10ms);
    s.segment(3);
    s.check(5, 0);
  }
  SECTION("but it is 3 segments behind") {
    s.segment(6);
    s.segment(5);
    s.check(5, 0);
    s.segment(3);
    s.check(6, 1);
  }
}

TEST_CASE("by its TSval a retransmission is known however soon it comes", "[bpf][measure]") {
  Sender s(GENERATE(Family::v4, Family::v6));
  const auto segment = [&](std::uint32_t i, std::uint32_t time) {
    s.flow.send({.sequence = Sender::at(i),
                 .acknowledged = 100,
                 .payload = kSegment,
                 .timestamps = {{time, 1}}});
  };
  segment(0, 100);
  segment(2, 102);
  segment(1, 101);  // overtaken
  segment(1, 102);  // perhaps
  s.check(4, 0);
  segment(1, 103);
  s.check(5, 1);
}

TEST_CASE("an aggregate counts as the segments that it was made of", "[bpf][measure]") {
  Sender s;
  s.flow.send({.sequence = kStart, .acknowledged = 100, .payload = 2000}, {.packets = 10});
  s.check(10, 0);
  s.flow.age(50ms);
  s.flow.send({.sequence = kStart, .acknowledged = 100, .payload = 2000}, {.packets = 10});
  s.check(20, 10);
  s.flow.send({.sequence = kStart + 1500, .acknowledged = 100, .payload = 1000}, {.packets = 5});
  s.check(25, 13);  // half of it was sent before: 2.5 segments
}

TEST_CASE("keep-alives and probes of a closed window are no retransmissions", "[bpf][measure]") {
  Sender s(Family::v4, 2);
  s.acknowledge(2);
  s.flow.age(1min);
  SECTION("keep-alives") {
    s.flow.send({.sequence = Sender::at(2) - 1, .acknowledged = 100, .payload = 1});
    s.flow.send({.sequence = Sender::at(2) - 1, .acknowledged = 100});
    s.check(2, 0);
  }
  SECTION("probes with a byte beyond the window") {
    s.acknowledge(2, 0);
    for (int i = 0; i < 3; ++i) {
      s.flow.send({.sequence = Sender::at(2), .acknowledged = 100, .payload = 1});
      s.flow.age(1min);
    }
    s.check(3, 0);
    s.acknowledge(2, 1000);
    s.flow.send({.sequence = Sender::at(2), .acknowledged = 100, .payload = kSegment});
    s.check(4, 1);  // 1 byte of it was sent before
  }
}

TEST_CASE("SYN and FIN are no data", "[bpf][measure]") {
  Sender s(Family::v4, 1);
  s.flow.age(50ms);
  for (int i = 0; i < 2; ++i)
    s.flow.send({.sequence = Sender::at(1), .acknowledged = 100, .flags = kFin | kAck});
  s.check(1, 0);
}

TEST_CASE("a retransmission is not counted for the path that the flow moved to", "[bpf][measure]") {
  Sender s(Family::v4, 4);
  const std::uint32_t left = s.flow.nexthop();
  s.router.dataplane().set_nexthop_usable(NexthopId{left}, false);
  s.flow.age(50ms);
  s.segment(0);
  REQUIRE(s.flow.nexthop() != left);
  s.segment(1);
  CHECK(s.flow.traffic().segments == 2);
  CHECK(s.flow.traffic().retransmitted == 0);
  CHECK(s.flow.entry().seen.retransmitted == 2);
  s.flow.age(50ms);  // not in the same tick
  s.segment(4);
  s.flow.age(50ms);
  s.segment(4);
  CHECK(s.flow.traffic().retransmitted == 1);
}

TEST_CASE("echoes count on connections that agreed on ECN", "[bpf][measure]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  struct Case {
    std::uint16_t ask, grant;
    bool counts;
  };
  for (const Case& c :
       {Case{kEce | kCwr, kEce, true}, Case{0, kEce, false}, Case{kEce | kCwr, 0, false},
        Case{kEce | kCwr, kEce | kCwr, false}, Case{kEce | kCwr | kAccurate, kCwr, false},
        Case{kEce | kCwr | kAccurate, kEce, false}}) {
    INFO("asked " << c.ask << ", granted " << c.grant);
    Sender s(family, 3, c.ask, c.grant);
    s.flow.receive({.sequence = 100, .acknowledged = Sender::at(1)});
    s.flow.receive({.sequence = 100, .acknowledged = Sender::at(2), .flags = kAck | kEce});
    s.flow.receive(
        {.sequence = 100, .acknowledged = Sender::at(9), .flags = kAck | kEce});  // forged
    CHECK(s.flow.traffic().acks == (c.counts ? 2 : 0));
    CHECK(s.flow.traffic().ece_acks == (c.counts ? 1 : 0));
  }
}

TEST_CASE("a server in the LAN agrees on ECN by its own SYN-ACK", "[bpf][measure]") {
  Router router;
  router.two_upstreams();
  Conversation flow(router, Family::v4);
  flow.send({.sequence = 10, .acknowledged = 100, .flags = kSyn | kAck | kEce});
  flow.receive({.sequence = 100, .acknowledged = 11, .flags = kAck | kEce});
  CHECK(flow.traffic().ece_acks == 1);
}
