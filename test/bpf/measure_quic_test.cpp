// Round-trip times of QUIC: its handshake, and the spin bit where it behaves like one.
#include "test/bpf/measured.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

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
