// Passive round-trip times: what makes a sample, how long it is, and what makes none.
#include "test/bpf/conversation.hpp"
#include "test/catch.hpp"

#include <cstring>

using namespace hopwise;
using namespace hopwise::test;
using namespace std::chrono_literals;

namespace {

constexpr Duration kPath = 80ms;  // by which the tests age a flow between packet and answer

// Runs on this router's one flow, and what came of it.
struct Measured {
  explicit Measured(Family family, std::uint8_t protocol = IPPROTO_TCP)
      : flow((router.two_upstreams(), router), family, protocol) {}

  std::optional<PassiveRtt> reading() {
    const auto readings = router.dataplane().take_passive();
    if (readings.paths.empty()) return std::nullopt;
    REQUIRE(readings.paths.size() == 1);
    CHECK(raw(readings.paths.begin()->first) == flow.entry().path);
    return readings.paths.begin()->second;
  }

  // The packet, a while, its answer: one sample of that while by this method.
  template <class Send, class Receive>
  void takes(PassiveMethod method, Send send, Receive receive) {
    const auto sent = Router::now();
    send();
    const auto gone = Router::now();
    flow.age(kPath);
    const auto back = Router::now();
    receive();
    const auto over = Router::now();
    const auto rtt = reading();
    REQUIRE(rtt);
    for (std::size_t i = 0; i < kPassiveMethods; ++i)
      CHECK(rtt->by_method.at(i) == (i == static_cast<std::size_t>(method) ? 1 : 0));
    if (method == PassiveMethod::spin) {
      CHECK(rtt->samples == 0);
      return;
    }
    CHECK(rtt->samples == 1);
    CHECK(rtt->mean > kPath + (back - gone) - 1us);
    CHECK(rtt->mean < kPath + (over - sent));
    CHECK(Duration(flow.entry().seen.rtt_us * 1000ULL) > 0s);
  }

  // A connection whose SYN and SYN-ACK have gone by.
  void connect(std::uint32_t sequence = 1000, std::uint16_t ask = 0, std::uint16_t grant = 0) {
    flow.send({.sequence = sequence, .flags = static_cast<std::uint16_t>(kSyn | ask)});
    flow.receive({.sequence = 5000,
                  .acknowledged = sequence + 1,
                  .flags = static_cast<std::uint16_t>(kSyn | kAck | grant)});
    flow.send({.sequence = sequence + 1, .acknowledged = 5001});
    (void)reading();
  }

  Router router;
  Conversation flow;
};

Bytes quic_long(std::uint8_t first, std::uint32_t version, std::uint8_t to, std::uint8_t from,
                std::size_t bytes) {
  Bytes packet{first};
  for (const int shift : {24, 16, 8, 0})
    packet.push_back(static_cast<std::uint8_t>(version >> shift));
  packet.push_back(8);
  packet.insert(packet.end(), 8, to);
  packet.push_back(8);
  packet.insert(packet.end(), 8, from);
  packet.resize(bytes);
  return packet;
}
Bytes quic_short(bool spin) {
  Bytes packet(30, 7);
  packet[0] = spin ? 0x60 : 0x40;
  return packet;
}
constexpr std::uint32_t kVersion1 = 1, kVersion2 = 0x6b3343cf;

}  // namespace

TEST_CASE("a handshake from the LAN times SYN to SYN-ACK", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6));
  m.takes(
      PassiveMethod::handshake, [&] { m.flow.send({.sequence = 0xffffffff, .flags = kSyn}); },
      [&] { m.flow.receive({.sequence = 9, .acknowledged = 0, .flags = kSyn | kAck}); });
}

TEST_CASE("a handshake from the WAN times SYN-ACK to its acknowledgement", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6));
  m.takes(
      PassiveMethod::handshake,
      [&] { m.flow.send({.sequence = 700, .acknowledged = 10, .flags = kSyn | kAck}); },
      [&] { m.flow.receive({.sequence = 10, .acknowledged = 701}); });
}

TEST_CASE("timestamps time data whose TSval grew", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6));
  m.connect();
  const std::uint32_t before = 0xfffffff0;
  m.flow.send({.sequence = 1001, .timestamps = {{before, 1}}});
  m.takes(
      PassiveMethod::timestamp,
      [&] {
        m.flow.send({.sequence = 1001, .payload = 100, .timestamps = {{before + 32, 1}}});
      },
      [&] {
        m.flow.receive({.sequence = 5001, .acknowledged = 1001, .timestamps = {{1, before}}});
        m.flow.receive({.sequence = 5001, .acknowledged = 1101, .timestamps = {{1, before + 32}}});
        m.flow.receive({.sequence = 5001, .acknowledged = 1101, .timestamps = {{1, before + 32}}});
      });
}

TEST_CASE("the timestamp option is found wherever it stands", "[bpf][measure]") {
  const std::vector<Bytes> before = {
      {2, 4, 5, 180, 4, 2},                                     // a SYN's of Linux
      {2, 4, 5, 180, 1, 3, 3, 8, 1, 1},                         // and of others
      {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1},              // behind a SACK block
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},                  // behind padding
      {254, 2, 254, 3, 0, 254, 5, 8, 10, 9, 1, 253, 4, 8, 10},  // behind what looks like it
  };
  const auto at = [&](std::size_t i, std::uint8_t value) {
    Bytes options = before.at(i);
    options.insert(options.end(), {8, 10, 0, 0, 0, value, 0, 0, 0, 0});
    return options;
  };
  Measured m(Family::v4);
  m.connect();
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto value = static_cast<std::uint8_t>(10 * i + 10);
    const auto sequence = static_cast<std::uint32_t>(1001 + 10 * i);
    m.flow.send({.sequence = sequence, .options = at(i, value)});
    INFO("layout " << i);
    m.takes(
        PassiveMethod::timestamp,
        [&] {
          m.flow.send({.sequence = sequence,
                       .payload = 10,
                       .options = at(i, static_cast<std::uint8_t>(value + 1))});
        },
        [&] {
          m.flow.receive({.sequence = 5001,
                          .acknowledged = sequence + 10,
                          .timestamps = {{1, static_cast<std::uint32_t>(value + 1)}}});
        });
  }
}

TEST_CASE("a packet that shares its TSval with an earlier one is not timed", "[bpf][measure]") {
  Measured m(Family::v4);
  m.connect();
  m.flow.send({.sequence = 1001, .timestamps = {{50, 1}}});
  m.flow.send({.sequence = 1001, .timestamps = {{51, 1}}});  // an acknowledgement: no data
  m.flow.send({.sequence = 1001, .payload = 100, .timestamps = {{51, 1}}});
  m.flow.receive({.sequence = 5001, .acknowledged = 1101, .timestamps = {{1, 51}}});
  m.flow.send({.sequence = 1101, .payload = 100, .timestamps = {{49, 1}}});  // and back in time
  m.flow.receive({.sequence = 5001, .acknowledged = 1201, .timestamps = {{1, 49}}});
  CHECK_FALSE(m.reading());
}

TEST_CASE("data whose timestamp the peer has passed by is given up for newer", "[bpf][measure]") {
  Measured m(Family::v4);
  m.connect();
  m.flow.send({.sequence = 1001, .timestamps = {{50, 1}}});
  m.flow.send({.sequence = 1001, .payload = 100, .timestamps = {{60, 1}}});
  m.flow.send({.sequence = 1101, .payload = 100, .timestamps = {{61, 1}}});
  m.flow.receive({.sequence = 5001, .acknowledged = 1201, .timestamps = {{1, 61}}});
  CHECK_FALSE(m.reading());
  m.takes(
      PassiveMethod::timestamp,
      [&] {
        m.flow.send({.sequence = 1201, .payload = 100, .timestamps = {{62, 1}}});
      },
      [&] {
        m.flow.receive({.sequence = 5001, .acknowledged = 1301, .timestamps = {{1, 62}}});
      });
}

TEST_CASE("without timestamps data is timed to its acknowledgement", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6));
  m.connect(0xffffff00 - 1);
  m.takes(
      PassiveMethod::sequence, [&] { m.flow.send({.sequence = 0xffffff00, .payload = 0x200}); },
      [&] {
        m.flow.receive({.sequence = 5001, .acknowledged = 0xfffffff0});  // of a part
        m.flow.receive({.sequence = 5001, .acknowledged = 0x100});
        m.flow.receive({.sequence = 5001, .acknowledged = 0x100});
      });
}

TEST_CASE("no sample spans a retransmission", "[bpf][measure]") {
  Measured m(Family::v4);
  SECTION("of data") {
    m.connect();
    m.flow.send({.sequence = 1001, .payload = 100});
    m.flow.age(kPath);
    m.flow.send({.sequence = 1001, .payload = 100});
    m.flow.receive({.sequence = 5001, .acknowledged = 1101});
  }
  SECTION("of data with timestamps") {
    m.connect();
    m.flow.send({.sequence = 1001, .timestamps = {{50, 1}}});
    m.flow.send({.sequence = 1001, .payload = 100, .timestamps = {{60, 1}}});
    m.flow.age(kPath);
    m.flow.send({.sequence = 1001, .payload = 100, .timestamps = {{70, 1}}});
    m.flow.receive({.sequence = 5001, .acknowledged = 1101, .timestamps = {{1, 60}}});
    m.flow.receive({.sequence = 5001, .acknowledged = 1101, .timestamps = {{1, 70}}});
  }
  SECTION("of data together with more") {
    m.connect();
    m.flow.send({.sequence = 1001, .payload = 100});
    m.flow.age(kPath);
    m.flow.send({.sequence = 1001, .payload = 200});
    m.flow.receive({.sequence = 5001, .acknowledged = 1201});
  }
  SECTION("of a SYN") {
    m.flow.send({.sequence = 1000, .flags = kSyn});
    m.flow.age(kPath);
    m.flow.send({.sequence = 1000, .flags = kSyn});
    m.flow.receive({.sequence = 5000, .acknowledged = 1001, .flags = kSyn | kAck});
  }
  SECTION("of a SYN-ACK") {
    m.flow.send({.sequence = 1000, .acknowledged = 5, .flags = kSyn | kAck});
    m.flow.age(kPath);
    m.flow.send({.sequence = 1000, .acknowledged = 5, .flags = kSyn | kAck});
    m.flow.receive({.sequence = 5, .acknowledged = 1001});
  }
  SECTION("of a SYN whose answer was lost beyond us") {
    m.connect();
    m.flow.send({.sequence = 3000, .flags = kSyn});
    m.flow.receive({.sequence = 5000, .acknowledged = 3001, .flags = kSyn | kAck});
    CHECK(m.reading());
    m.flow.age(kPath);
    m.flow.send({.sequence = 3000, .flags = kSyn});
    m.flow.receive({.sequence = 5000, .acknowledged = 3001, .flags = kSyn | kAck});
  }
  CHECK_FALSE(m.reading());
}

TEST_CASE("after a retransmission the next data is timed again", "[bpf][measure]") {
  Measured m(Family::v4);
  m.connect();
  m.flow.send({.sequence = 1001, .payload = 100});
  m.flow.age(kPath);
  m.flow.send({.sequence = 1001, .payload = 100});
  m.flow.receive({.sequence = 5001, .acknowledged = 1101});
  m.takes(
      PassiveMethod::sequence, [&] { m.flow.send({.sequence = 1101, .payload = 100}); },
      [&] { m.flow.receive({.sequence = 5001, .acknowledged = 1201}); });
}

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

TEST_CASE("QUIC's handshake is timed by the server's first packet", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6), IPPROTO_UDP);
  const std::uint32_t version = GENERATE(kVersion1, kVersion2);
  const std::uint8_t initial = version == kVersion1 ? 0xc3 : 0xd3;
  m.takes(
      PassiveMethod::quic,
      [&] {
        m.flow.send_datagram(quic_long(initial, version, 1, 2, 1200));
        m.flow.send_datagram(quic_long(initial, version, 1, 2, 1200));  // a long ClientHello
      },
      [&] {
        m.flow.receive_datagram(quic_long(initial, version, 2, 3, 1200));
        m.flow.receive_datagram(quic_long(initial, version, 2, 3, 1200));
      });
}

TEST_CASE("what is no answer to a QUIC Initial is not taken for one", "[bpf][measure]") {
  Measured m(Family::v4, IPPROTO_UDP);
  SECTION("another connection id") {
    m.flow.send_datagram(quic_long(0xc3, kVersion1, 1, 2, 1200));
    m.flow.receive_datagram(quic_long(0xc3, kVersion1, 9, 3, 1200));
  }
  SECTION("a short header") {
    m.flow.send_datagram(quic_long(0xc3, kVersion1, 1, 2, 1200));
    m.flow.receive_datagram(quic_short(false));
  }
  SECTION("an Initial too small to be a client's") {
    m.flow.send_datagram(quic_long(0xc3, kVersion1, 1, 2, 1199));
    m.flow.receive_datagram(quic_long(0xc3, kVersion1, 2, 3, 1200));
  }
  SECTION("an Initial that was repeated") {
    m.flow.send_datagram(quic_long(0xc3, kVersion1, 1, 2, 1200));
    m.flow.age(kPath);
    m.flow.send_datagram(quic_long(0xc3, kVersion1, 1, 2, 1200));
    m.flow.receive_datagram(quic_long(0xc3, kVersion1, 2, 3, 1200));
  }
  SECTION("an unknown version") {
    m.flow.send_datagram(quic_long(0xc3, 0xff00001d, 1, 2, 1200));
    m.flow.receive_datagram(quic_long(0xc3, 0xff00001d, 2, 3, 1200));
  }
  CHECK_FALSE(m.reading());
}

TEST_CASE("the spin bit is weak evidence, and only where it behaves like one", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6), IPPROTO_UDP);
  m.flow.send_datagram(quic_short(false));  // not QUIC as far as we know
  m.flow.receive_datagram(quic_short(false));
  m.flow.send_datagram(quic_long(0xc3, kVersion1, 1, 2, 1200));
  m.flow.age(kPath);
  m.flow.receive_datagram(quic_long(0xc3, kVersion1, 2, 3, 1200));
  REQUIRE(m.reading());
  m.flow.send_datagram(quic_short(false));
  m.flow.receive_datagram(quic_short(false));
  m.flow.age(kPath);
  for (const bool spin : {true, false, true})
    m.takes(
        PassiveMethod::spin, [&] { m.flow.send_datagram(quic_short(spin)); },
        [&] {
          m.flow.receive_datagram(quic_short(!spin));
          m.flow.receive_datagram(quic_short(spin));
          m.flow.age(kPath);
        });
  for (int i = 0; i < 4; ++i) {  // random values: edges at every packet
    m.flow.send_datagram(quic_short(i % 2 != 0));
    m.flow.receive_datagram(quic_short(i % 2 != 0));
  }
  CHECK_FALSE(m.reading());
  m.flow.age(kPath);
  m.flow.send_datagram(quic_short(false));
  m.flow.age(kPath);
  m.flow.receive_datagram(quic_short(false));
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

TEST_CASE("hostile answers make no sample", "[bpf][measure]") {
  Measured m(Family::v4);
  m.flow.send({.sequence = 1000, .flags = kSyn});
  SECTION("to a SYN") {
    m.flow.receive({.acknowledged = 1002, .flags = kSyn | kAck});  // of what was never sent
    m.flow.receive({.acknowledged = 1000, .flags = kSyn | kAck});  // of what came before
    m.flow.receive({.acknowledged = 1001, .flags = kRst | kAck});
    m.flow.receive({.acknowledged = 1001, .flags = kSyn | kAck});  // after it was refused
  }
  SECTION("to data") {
    m.flow.receive({.sequence = 5000, .acknowledged = 1001, .flags = kSyn | kAck});
    (void)m.reading();
    m.flow.send({.sequence = 1001, .timestamps = {{50, 1}}});
    m.flow.send({.sequence = 1001, .payload = 100, .timestamps = {{60, 1}}});
    m.flow.receive({.sequence = 5001, .acknowledged = 1101, .timestamps = {{1, 61}}});
    m.flow.receive({.sequence = 5001, .acknowledged = 1101, .timestamps = {{1, 0x8000003d}}});
    m.flow.receive({.sequence = 5001, .acknowledged = 1102, .timestamps = {{1, 60}}});
    m.flow.receive({.sequence = 5001, .acknowledged = 0x80000100, .timestamps = {{1, 60}}});
    m.flow.receive({.sequence = 5001, .acknowledged = 1101});
    m.flow.receive({.sequence = 5001, .flags = 0, .timestamps = {{1, 60}}});
    for (const Bytes& broken : {Bytes{8, 10, 0, 0}, Bytes{8, 9, 0, 0, 0, 60, 0, 0, 0, 60, 1, 1},
                                Bytes{1, 8, 0, 10, 0, 0, 0, 1, 0, 0, 0, 60},
                                Bytes{1, 3, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 60},
                                Bytes{0, 0, 8, 10, 0, 0, 0, 1, 0, 0, 0, 60}})
      m.flow.receive({.sequence = 5001, .acknowledged = 1101, .options = broken});
    CHECK(m.flow.entry().seen.stamp_ns != 0);
  }
  CHECK_FALSE(m.reading());
}

TEST_CASE("a header that contradicts its packet is not measured", "[bpf][measure]") {
  Measured m(GENERATE(Family::v4, Family::v6));
  m.connect();
  const hw_seen before = m.flow.entry().seen;
  const std::size_t offset = kEthernetBytes + (m.flow.frame_of({}).at(12) == 8 ? 20 : 40) + 12;
  for (const int words : {0, 1, 4, 6, 15}) {
    Bytes frame = m.flow.frame_of({.sequence = 1001});
    frame.at(offset) = static_cast<std::uint8_t>(words * 16);
    m.flow.send_frame(frame);
    Bytes answer = m.flow.answer_of({.sequence = 5001, .acknowledged = 1001});
    answer.at(offset) = static_cast<std::uint8_t>(words * 16);
    m.flow.receive_frame(answer);
  }
  const hw_seen after = m.flow.entry().seen;
  CHECK(std::memcmp(&before, &after, sizeof(before)) == 0);
}
