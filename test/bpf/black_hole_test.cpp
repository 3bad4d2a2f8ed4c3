// Flows whose nexthop carries them nowhere, and those that only look like it.
#include <poll.h>

#include "test/bpf/conversation.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using namespace std::chrono_literals;

namespace {

struct Flow {
  explicit Flow(Family family = Family::v4, std::uint8_t protocol = IPPROTO_TCP)
      : flow((router.two_upstreams(), router), family, protocol) {}

  void connect() {
    flow.send({.sequence = 1000, .flags = kSyn});
    flow.age(20ms);
    flow.receive({.sequence = 4999, .acknowledged = 1001, .flags = kSyn | kAck});
    flow.send({.sequence = 1001, .acknowledged = 5000});
  }
  void data(std::uint32_t sequence, std::size_t payload = 100) {
    flow.send({.sequence = sequence, .acknowledged = 5000, .payload = payload});
  }
  // Nexthops that the flow has left by itself since the last call.
  std::vector<std::uint32_t> escapes() {
    std::vector<std::uint32_t> left;
    router.dataplane().take_escapes([&](const dataplane::Escape& e) {
      CHECK(raw(e.to) == flow.nexthop());
      CHECK(e.at <= Router::now());
      CHECK(raw(e.group) > 0);
      left.push_back(raw(e.from));
    });
    return left;
  }

  Router router;
  Conversation flow;
};

Bytes initial() {
  Bytes packet{0xc3, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4};
  packet.resize(1200);
  return packet;
}

}  // namespace

TEST_CASE("a SYN that is repeated after its time-out without an answer leaves its nexthop",
          "[bpf][measure][escape]") {
  Flow f(GENERATE(Family::v4, Family::v6));
  f.flow.send({.sequence = 1000, .flags = kSyn});
  const std::uint32_t first = f.flow.nexthop();
  f.flow.age(1s);
  pollfd wait{f.router.dataplane().escapes_fd(), POLLIN, 0};
  CHECK(poll(&wait, 1, 0) == 0);
  f.flow.send({.sequence = 1000, .flags = kSyn});
  CHECK(f.flow.nexthop() != first);
  CHECK(poll(&wait, 1, 0) == 1);
  CHECK(f.escapes() == std::vector{first});
  CHECK(f.escapes().empty());
}

TEST_CASE("a SYN stays where it is", "[bpf][measure][escape]") {
  Flow f;
  SECTION("when it is repeated too soon") {
    f.flow.send({.sequence = 1000, .flags = kSyn});
    f.flow.age(500ms);
    f.flow.send({.sequence = 1000, .flags = kSyn});
  }
  SECTION("when something came back") {
    f.flow.send({.sequence = 1000, .flags = kSyn});
    f.flow.age(600ms);
    f.flow.receive({.acknowledged = 77, .flags = kAck});  // RFC 5961's challenge
    f.flow.age(600ms);
    f.flow.send({.sequence = 1000, .flags = kSyn});
  }
  SECTION("when it was answered") {
    f.connect();
    f.flow.age(2s);
    f.flow.send({.sequence = 1000, .flags = kSyn});
  }
  SECTION("when it is another connection's") {
    f.flow.send({.sequence = 1000, .flags = kSyn});
    f.flow.age(2s);
    f.flow.send({.sequence = 2000, .flags = kSyn});
  }
  SECTION("when it is a SYN-ACK: its SYN may have been forged") {
    f.flow.send({.sequence = 1000, .acknowledged = 3, .flags = kSyn | kAck});
    f.flow.age(2s);
    f.flow.send({.sequence = 1000, .acknowledged = 3, .flags = kSyn | kAck});
  }
  CHECK(f.escapes().empty());
}

TEST_CASE("data that is repeated after its time-out without progress leaves its nexthop",
          "[bpf][measure][escape]") {
  Flow f(GENERATE(Family::v4, Family::v6));
  f.connect();
  f.data(1001);
  const std::uint32_t first = f.flow.nexthop();
  f.flow.age(190ms);  // the time-out is at least 200 ms longer than the round-trip time
  f.data(1001);
  CHECK(f.escapes().empty());
  f.flow.age(100ms);
  f.data(1001);
  CHECK(f.escapes() == std::vector{first});
  f.flow.age(900ms);  // after it, nothing is known of the new path: a second
  f.data(1001);
  f.flow.age(900ms);
  f.data(1001);
  CHECK(f.escapes().empty());
  f.flow.age(200ms);
  f.data(1001);
  CHECK(f.escapes().size() == 1);
}

TEST_CASE("an unknown round-trip time makes the time-out a second", "[bpf][measure][escape]") {
  Flow f;
  f.data(1001);  // of a connection that began before us
  f.flow.receive({.sequence = 5001, .acknowledged = 1001});
  f.flow.age(900ms);
  f.data(1001);
  CHECK(f.escapes().empty());
  f.flow.age(150ms);
  f.data(1001);
  CHECK(f.escapes().size() == 1);
}

TEST_CASE("data stays where it is when answers return another way, or new data still follows",
          "[bpf][measure][escape]") {
  Flow f;
  SECTION("answers are not seen here") {
    f.flow.send({.sequence = 1000, .flags = kSyn});
    for (int i = 0; i < 5; ++i) {
      f.data(1001);
      f.flow.age(3s);
    }
  }
  SECTION("new data follows") {
    f.connect();
    for (std::uint32_t i = 0; i < 50; ++i) {
      f.data(1001 + 100 * i);
      f.flow.age(100ms);
      if (i > 0) f.data(1001);
    }
  }
  CHECK(f.escapes().empty());
}

TEST_CASE("a long round-trip time that varies makes a long time-out", "[bpf][measure][escape]") {
  Flow f;
  f.connect();
  hw_flow entry = f.flow.entry();
  entry.seen.rtt_us = 700'000;
  entry.seen.rtt_deviation_us = 150'000;
  f.flow.set_entry(entry);
  f.data(1001);
  f.flow.age(1200ms);
  f.data(1001);
  CHECK(f.escapes().empty());
  f.flow.age(150ms);
  f.data(1001);
  CHECK(f.escapes().size() == 1);
}

TEST_CASE("a slow flow that makes progress stays where it is", "[bpf][measure][escape]") {
  Flow f;
  f.connect();
  for (std::uint32_t i = 0; i < 6; ++i) f.data(1001 + i * 100);
  for (std::uint32_t i = 0; i < 5; ++i) {
    f.flow.age(150ms);
    f.flow.receive({.sequence = 5000, .acknowledged = 1001 + i * 100});
    f.flow.age(150ms);
    f.data(1001 + i * 100);
  }
  CHECK(f.flow.traffic().retransmitted == 5);
  CHECK(f.escapes().empty());
}

TEST_CASE("what comes back tells progress from repetition", "[bpf][measure][escape]") {
  Flow f;
  f.connect();
  f.flow.receive({.sequence = 5000, .acknowledged = 1001, .payload = 50});
  f.data(1001);
  f.data(1101);
  f.flow.age(150ms);
  bool progress = true;
  SECTION("an acknowledgement repeated: the second segment arrived") {
    f.flow.receive({.sequence = 5050, .acknowledged = 1001});
  }
  SECTION("new data of the peer's") {
    f.flow.receive({.sequence = 5050, .acknowledged = 1001, .payload = 50});
  }
  SECTION("an acknowledgement of what we have not seen") {
    f.flow.receive({.sequence = 5050, .acknowledged = 9001});
  }
  SECTION("the peer's data again: it hears us no more") {
    f.flow.receive({.sequence = 5000, .acknowledged = 1001, .payload = 50});
    progress = false;
  }
  SECTION("the peer's keep-alive") {
    f.flow.receive({.sequence = 5049, .acknowledged = 1001});
    progress = false;
  }
  f.flow.age(100ms);
  f.data(1001);
  CHECK(f.escapes().size() == (progress ? 0 : 1));
}

TEST_CASE("time during which nothing waited for an answer does not count",
          "[bpf][measure][escape]") {
  Flow f;
  f.connect();
  f.data(1001);
  f.flow.receive({.sequence = 5000, .acknowledged = 1101});
  f.flow.age(10min);
  f.data(1101);
  f.flow.age(10ms);
  f.data(1101);
  CHECK(f.flow.traffic().retransmitted == 1);
  CHECK(f.escapes().empty());
}

TEST_CASE("repetitions that are no retransmissions are no alarm", "[bpf][measure][escape]") {
  Flow f;
  f.connect();
  f.data(1001);
  SECTION("of what has been acknowledged") {
    f.flow.receive({.sequence = 5000, .acknowledged = 1101});
    f.flow.age(10min);
    f.data(1001);
    CHECK(f.flow.traffic().retransmitted == 1);
  }
  SECTION("keep-alives that the peer does not answer") {
    f.flow.receive({.sequence = 5000, .acknowledged = 1101});
    for (int i = 0; i < 5; ++i) {
      f.flow.age(75s);
      f.data(1100, 1);
    }
  }
  SECTION("probes of a closed window") {
    f.flow.receive({.sequence = 5000, .acknowledged = 1101, .window = 0});
    for (int i = 0; i < 5; ++i) {
      f.flow.age(5s);
      f.data(1101, 1);
    }
  }
  SECTION("a FIN to a peer that is gone") {
    f.flow.receive({.sequence = 5000, .acknowledged = 1101});
    for (int i = 0; i < 5; ++i) {
      f.flow.send({.sequence = 1101, .acknowledged = 5000, .flags = kFin | kAck});
      f.flow.age(5s);
    }
  }
  SECTION("a flow in a hurry whose segments are reordered") {
    f.flow.age(10s);
    f.data(1201);
    f.data(1101);
  }
  CHECK(f.escapes().empty());
}

TEST_CASE("a QUIC Initial that is repeated without an answer leaves its nexthop",
          "[bpf][measure][escape]") {
  Flow f(GENERATE(Family::v4, Family::v6), IPPROTO_UDP);
  f.flow.send_datagram(initial());
  f.flow.send_datagram(initial());
  f.flow.age(600ms);
  f.flow.send_datagram(initial());
  CHECK(f.escapes().empty());
  SECTION("nothing came back") {
    f.flow.age(400ms);
    f.flow.send_datagram(initial());
    CHECK(f.escapes().size() == 1);
  }
  SECTION("something came back") {
    f.flow.receive_datagram(Bytes(30, 0x40));
    f.flow.age(400ms);
    f.flow.send_datagram(initial());
    CHECK(f.escapes().empty());
  }
}

TEST_CASE("other datagrams without an answer are no alarm", "[bpf][measure][escape]") {
  Flow f(Family::v4, IPPROTO_UDP);
  for (int i = 0; i < 5; ++i) {
    f.flow.send_datagram(Bytes(1200, 0x40));
    f.flow.age(2s);
  }
  CHECK(f.escapes().empty());
}
