#include "probes/wire/icmp.hpp"

#include <array>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

using Bytes = std::vector<std::uint8_t>;
const EchoTag kTag{0x1234, 0xa0b0c0d0, 7, 0x1122334455667788};

Bytes request(Family family, const EchoTag& tag, std::size_t payload = 32) {
  Bytes message(kEchoHeaderBytes + payload);
  build_request(family, tag, message);
  return message;
}

// RFC 1071, written anew for the test: adding all 16-bit words with end-around carry gives ffff.
bool checksum_holds(const Bytes& message) {
  unsigned total = 0;
  for (std::size_t i = 0; i < message.size(); i += 2) {
    total += unsigned{message[i]} << 8U | (i + 1 < message.size() ? message[i + 1] : 0U);
    total = (total & 0xffffU) + (total >> 16U);
  }
  return total == 0xffff;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

// An IPv4 header of `words` 32-bit words that says ICMP is inside.
Bytes ipv4(std::uint8_t words = 5) {
  Bytes header(words * std::size_t{4});
  header[0] = static_cast<std::uint8_t>(0x40 | words);
  header[9] = 1;
  return header;
}
Bytes ipv6() {
  Bytes header(40);
  header[0] = 0x60;
  header[6] = 58;
  return header;
}

// As a responder makes it of a request: the type changes, all else is echoed.
Bytes echoed(Family family, Bytes message) {
  message[0] = family == Family::v4 ? 0 : 129;
  return family == Family::v4 ? ipv4() + message : message;
}

}  // namespace

TEST_CASE("every echo request of a stream has the same valid checksum", "[icmp]") {
  const std::size_t payload = GENERATE(20U, 21U, 32U, 1400U);
  for (std::uint32_t sequence : {0U, 1U, 0xffffU, 0x10000U, 0xfffffffeU, 0xffffffffU}) {
    const Bytes message = request(Family::v4, {0xfeed, sequence, 3, 0xffffffffffffffff}, payload);
    CHECK(checksum_holds(message));
    CHECK((message[2] << 8U | message[3]) == kEchoChecksum);
  }
}

TEST_CASE("a reply gives back the request's tag", "[icmp]") {
  for (const Family family : {Family::v4, Family::v6})
    CHECK(parse_reply(family, echoed(family, request(family, kTag))) == kTag);
}

TEST_CASE("a reply behind IPv4 options is read", "[icmp]") {
  Bytes message = request(Family::v4, kTag);
  message[0] = 0;
  CHECK(parse_reply(Family::v4, ipv4(15) + message) == kTag);
}

TEST_CASE("what is no echo reply of ours is refused", "[icmp]") {
  const Bytes reply = echoed(Family::v4, request(Family::v4, kTag));
  SECTION("a request") {
    CHECK_FALSE(parse_reply(Family::v4, ipv4() + request(Family::v4, kTag)));
    CHECK_FALSE(parse_reply(Family::v6, request(Family::v6, kTag)));
  }
  SECTION("ICMP's sequence and the tag's disagree") {
    Bytes other = reply;
    other[20 + 7] ^= 1;
    CHECK_FALSE(parse_reply(Family::v4, other));
  }
  SECTION("another protocol") {
    Bytes other = reply;
    other[9] = 17;
    CHECK_FALSE(parse_reply(Family::v4, other));
  }
  SECTION("every truncation that cuts the tag") {
    for (std::size_t size = 0; size < 20 + 8 + 18; size++) {
      const std::vector<std::uint8_t> exact(reply.begin(), reply.begin() + size);
      CHECK_FALSE(parse_reply(Family::v4, exact));
    }
  }
  SECTION("a header length that lies") {
    Bytes other = reply;
    other[0] = 0x4f;
    CHECK_FALSE(parse_reply(Family::v4, other));
    other[0] = 0x41;
    CHECK_FALSE(parse_reply(Family::v4, other));
  }
}

TEST_CASE("an ICMP error that quotes a probe names it", "[icmp]") {
  const Bytes v4 = ipv4() + Bytes{3, 1, 0, 0, 0, 0, 0, 0} + ipv4() + request(Family::v4, kTag);
  const auto unreachable = parse_refusal(Family::v4, v4);
  REQUIRE(unreachable);
  CHECK(unreachable->tag == kTag);
  CHECK(unreachable->type == 3);
  CHECK(unreachable->code == 1);
  CHECK_FALSE(parse_reply(Family::v4, v4));

  const Bytes v6 = Bytes{1, 3, 0, 0, 0, 0, 0, 0} + ipv6() + request(Family::v6, kTag);
  REQUIRE(parse_refusal(Family::v6, v6));
  CHECK(parse_refusal(Family::v6, v6)->tag == kTag);

  for (std::size_t size = 0; size < 20 + 8 + 20 + 8 + 18; size++)
    CHECK_FALSE(parse_refusal(Family::v4, Bytes(v4.begin(), v4.begin() + size)));
  CHECK_FALSE(parse_refusal(Family::v4, echoed(Family::v4, request(Family::v4, kTag))));
}
