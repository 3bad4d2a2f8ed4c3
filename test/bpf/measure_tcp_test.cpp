// Round-trip times of TCP: what is timed, to which answer, and what makes no sample.
#include <cstring>

#include "test/bpf/measured.hpp"

using namespace hopwise;
using namespace hopwise::test;

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
