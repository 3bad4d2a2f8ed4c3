#include "probes/wire/icmp.hpp"

#include <set>

#include "test/catch.hpp"
#include "test/unit/probes/wire/packet.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

const EchoTag kTag{0x1234, 0xa0b0c0d0, 7, 0x1122334455667788};

Bytes request(Family family, const EchoTag& tag, std::size_t payload = 32) {
  Bytes message(kEchoHeaderBytes + payload);
  build_request(family, tag, message);
  return message;
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

TEST_CASE("every pinned flow has a checksum of its own that holds for all its requests", "[icmp]") {
  std::set<unsigned> checksums;
  for (std::uint32_t flow = 0; flow < 1000; flow++) {
    checksums.insert(echo_checksum(flow));
    CHECK(echo_checksum(flow) != 0);
    for (std::uint32_t sequence : {0U, 1U, 0xffffU, 0xffffffffU}) {
      Bytes message(kEchoHeaderBytes + 32);
      build_request(Family::v4, {0xfeed, sequence, 3, 77}, message, echo_checksum(flow));
      CHECK(checksum_holds(message));
      CHECK((message[2] << 8U | message[3]) == echo_checksum(flow));
    }
  }
  CHECK(checksums.size() == 1000);
}

TEST_CASE("a reply gives back the request's tag", "[icmp]") {
  for (const Family family : {Family::v4, Family::v6})
    CHECK(parse_reply(family, echoed(family, request(family, kTag))) == kTag);
}

TEST_CASE("a reply behind IPv4 options is read", "[icmp]") {
  Bytes message = request(Family::v4, kTag);
  message[0] = 0;
  CHECK(parse_reply(Family::v4, ipv4(1, 15) + message) == kTag);
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

TEST_CASE("a damaged reply or error is never taken for a probe's", "[icmp]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const bool v4 = family == Family::v4;
  const auto error = [&](const Bytes& quoted) {
    return v4 ? ipv4() + Bytes{3, 1, 0, 0, 0, 0, 0, 0} + ipv4() + quoted
              : Bytes{1, 3, 0, 0, 0, 0, 0, 0} + ipv6() + quoted;
  };
  const std::size_t tag = kEchoHeaderBytes + 16, rest = 32 - 16;
  // What may differ and be ours still: the header's checksum, code, and what is behind the tag.
  const auto is_tag = [&](std::size_t at, std::size_t message) {
    return at >= message + 4 && at < message + tag;
  };
  const Bytes reply = echoed(family, request(family, kTag));
  every_bit_flip(reply, [&](const Bytes& other, std::size_t at) {
    INFO("byte " << at);
    if (const auto parsed = parse_reply(family, other))
      CHECK((*parsed == kTag) != is_tag(at, reply.size() - tag - rest));
  });
  const Bytes refusal = error(request(family, kTag));
  every_bit_flip(refusal, [&](const Bytes& other, std::size_t at) {
    INFO("byte " << at);
    if (const auto parsed = parse_refusal(family, other))
      CHECK((parsed->tag == kTag) != is_tag(at, refusal.size() - tag - rest));
  });
}
