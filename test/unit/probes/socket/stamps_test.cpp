#include "probes/socket/stamps.hpp"

#include <netinet/in.h>

#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes join(const Bytes& a, const Bytes& b) {
  Bytes joined = a;
  joined.insert(joined.end(), b.begin(), b.end());
  return joined;
}

Bytes ethernet(std::uint16_t type) {
  return {2,
          0,
          0,
          0,
          0,
          1,
          2,
          0,
          0,
          0,
          0,
          9,
          static_cast<std::uint8_t>(type >> 8U),
          static_cast<std::uint8_t>(type)};
}

Bytes packet(Family family, std::uint8_t protocol, const Bytes& payload) {
  const bool v4 = family == Family::v4;
  Bytes header(v4 ? 20 : 40);
  header[0] = v4 ? 0x45 : 0x60;
  header[v4 ? 9 : 6] = protocol;
  header[v4 ? 3 : 5] = static_cast<std::uint8_t>(payload.size() + (v4 ? header.size() : 0));
  return join(header, payload);
}

Bytes message(const Looped& looped) {
  return {looped.message.begin(), looped.message.end()};
}

const Bytes kMessage{8, 0, 1, 2, 3, 4, 5, 6, 7};

}  // namespace

TEST_CASE("a looped frame is read with and without an Ethernet header", "[probes][stamps]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const std::uint16_t type = family == Family::v4 ? 0x0800 : 0x86dd;
  const Bytes inside = packet(family, IPPROTO_TCP, kMessage);
  const Bytes frame = join(ethernet(type), inside);
  CHECK(message(read_looped(family, IPPROTO_TCP, frame)) == kMessage);
  CHECK(read_looped(family, IPPROTO_TCP, frame).to == EthernetAddress{2, 0, 0, 0, 0, 1});
  CHECK(message(read_looped(family, IPPROTO_TCP, inside)) == kMessage);
  CHECK_FALSE(read_looped(family, IPPROTO_TCP, inside).to);
}

TEST_CASE("a frame's padding is no part of the message", "[probes][stamps]") {
  const Bytes frame =
      join(join(ethernet(0x0800), packet(Family::v4, IPPROTO_ICMP, kMessage)), Bytes(20, 0));
  CHECK(message(read_looped(Family::v4, IPPROTO_ICMP, frame)) == kMessage);
}

TEST_CASE("of UDP the header is taken off", "[probes][stamps]") {
  const Bytes frame = packet(Family::v6, IPPROTO_UDP, kMessage);
  CHECK(message(read_looped(Family::v6, IPPROTO_UDP, frame)) == Bytes{7});
}

TEST_CASE("a frame that was cut short, at any byte, is read as far as it goes",
          "[probes][stamps]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const std::uint16_t type = family == Family::v4 ? 0x0800 : 0x86dd;
  const Bytes frame = join(ethernet(type), packet(family, IPPROTO_TCP, kMessage));
  const std::size_t headers = frame.size() - kMessage.size();
  for (std::size_t size = 0; size <= frame.size(); size++) {
    const auto looped = read_looped(family, IPPROTO_TCP, std::span(frame).first(size));
    CHECK(looped.message.size() == (size > headers ? size - headers : 0));
  }
}

TEST_CASE("headers that are not ours hide the message", "[probes][stamps]") {
  const Bytes inside = packet(Family::v4, IPPROTO_ICMP, kMessage);
  // In a tunnel (GRE), of another protocol, and with a length that is a lie.
  CHECK(read_looped(Family::v4, IPPROTO_ICMP, packet(Family::v4, IPPROTO_GRE, inside))
            .message.empty());
  CHECK(read_looped(Family::v4, IPPROTO_TCP, inside).message.empty());
  Bytes lie = inside;
  lie[3] = 7;
  CHECK(read_looped(Family::v4, IPPROTO_ICMP, lie).message.empty());
}
