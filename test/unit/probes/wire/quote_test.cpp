#include "probes/wire/quote.hpp"

#include "test/catch.hpp"
#include "test/unit/probes/wire/packet.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

const Bytes kEcho4{8, 0, 0x68, 0x77, 0x12, 0x34, 0xab, 0xcd};
const Bytes kEcho6{128, 0, 0x68, 0x77, 0x12, 0x34, 0xab, 0xcd};
const Bytes kTcp{0x80, 0xe8, 0x01, 0xbb, 0xde, 0xad, 0xbe, 0xef};

// An error with nothing behind the eight bytes that every router quotes.
Bytes error4(std::uint8_t type, std::uint8_t code, const Bytes& quoted) {
  return ipv4() + Bytes{type, code, 0, 0, 0, 0, 0, 0} + quoted;
}
Bytes error6(std::uint8_t type, std::uint8_t code, const Bytes& quoted) {
  return Bytes{type, code, 0, 0, 0, 0, 0, 0} + quoted;
}

}  // namespace

TEST_CASE("eight quoted bytes name an echo and where it went", "[quote][wire]") {
  const Bytes v4 = error4(11, 0, ipv4(1) + kEcho4);
  const auto quote = parse_quote(Family::v4, v4);
  REQUIRE(quote);
  CHECK(quote->time_exceeded());
  CHECK(quote->note().empty());
  CHECK(quote->destination.text() == "203.0.113.9");
  CHECK(quote->source.text() == "192.0.2.1");
  REQUIRE(quote->echo());
  CHECK(quote->echo()->identifier == 0x1234);
  CHECK(quote->echo()->sequence == 0xabcd);
  CHECK_FALSE(quote->ports());

  const Bytes v6 = error6(3, 0, ipv6(58) + kEcho6);
  const auto other = parse_quote(Family::v6, v6);
  REQUIRE(other);
  CHECK(other->time_exceeded());
  CHECK(other->destination.text() == "2001:db8::9");
  REQUIRE(other->echo());
  CHECK(other->echo()->sequence == 0xabcd);
}

TEST_CASE("eight quoted bytes name a TCP segment", "[quote][wire]") {
  const Bytes v4 = error4(3, 3, ipv4(6, 7) + kTcp);
  const auto quote = parse_quote(Family::v4, v4);
  REQUIRE(quote);
  REQUIRE(quote->ports());
  CHECK(quote->ports()->source == 33000);
  CHECK(quote->ports()->destination == 443);
  CHECK(quote->ports()->sequence == 0xdeadbeef);
  CHECK_FALSE(quote->echo());
  CHECK_FALSE(quote->time_exceeded());
  CHECK(quote->note() == "!p");
}

TEST_CASE("only a quoted echo request is an echo of ours", "[quote][wire]") {
  Bytes reply = kEcho4;
  reply[0] = 0;
  const Bytes v4 = error4(11, 0, ipv4(1) + reply);
  REQUIRE(parse_quote(Family::v4, v4));
  CHECK_FALSE(parse_quote(Family::v4, v4)->echo());
  // An ICMPv6 protocol number inside IPv4 is no echo either.
  const Bytes mixed = error4(11, 0, ipv4(58) + kEcho6);
  REQUIRE(parse_quote(Family::v4, mixed));
  CHECK_FALSE(parse_quote(Family::v4, mixed)->echo());
}

TEST_CASE("extensions behind the quoted packet are not taken for it", "[quote][wire]") {
  const Bytes extension{0x20, 0, 0, 0, 0, 8, 1, 1, 0, 0, 0x10, 0x01};  // an MPLS label
  Bytes padded = ipv4(1) + kEcho4;
  padded.resize(128);
  Bytes v4 = error4(11, 0, padded + extension);
  v4[20 + 5] = 128 / 4;
  const auto quote = parse_quote(Family::v4, v4);
  REQUIRE(quote);
  CHECK(quote->message.size() == 128 - 20);
  REQUIRE(quote->echo());
  CHECK(quote->echo()->sequence == 0xabcd);

  Bytes padded6 = ipv6() + kEcho6;
  padded6.resize(128);
  Bytes v6 = error6(3, 0, padded6 + extension);
  v6[4] = 128 / 8;
  REQUIRE(parse_quote(Family::v6, v6));
  CHECK(parse_quote(Family::v6, v6)->message.size() == 128 - 40);
}

TEST_CASE("a told length that is a lie reads nothing beyond the packet", "[quote][wire]") {
  Bytes v4 = error4(11, 0, ipv4(1) + kEcho4);
  for (unsigned length = 0; length < 256; length++) {
    v4[20 + 5] = static_cast<std::uint8_t>(length);
    INFO("length " << length);
    CHECK(parse_quote(Family::v4, Bytes(v4)).has_value() == (length == 0 || length * 4 >= 28));
  }
  // In packet too big the same bytes are the MTU.
  Bytes v6 = error6(2, 0, ipv6() + kEcho6);
  v6[4] = 0, v6[6] = 5, v6[7] = 0;
  CHECK(parse_quote(Family::v6, v6));
}

TEST_CASE("a later fragment says nothing of a message", "[quote][wire]") {
  Bytes fragment = ipv4(1);
  fragment[7] = 3;
  CHECK_FALSE(parse_quote(Family::v4, error4(11, 0, fragment + kEcho4)));
}

TEST_CASE("errors are told as traceroute tells them", "[quote][wire]") {
  const auto note = [](Family family, std::uint8_t type, std::uint8_t code) {
    const Bytes error = family == Family::v4 ? error4(type, code, ipv4(1) + kEcho4)
                                             : error6(type, code, ipv6() + kEcho6);
    return std::string(parse_quote(family, error).value().note());
  };
  CHECK(note(Family::v4, 3, 0) == "!N");
  CHECK(note(Family::v4, 3, 1) == "!H");
  CHECK(note(Family::v4, 3, 4) == "!F");
  CHECK(note(Family::v4, 3, 13) == "!X");
  CHECK(note(Family::v4, 3, 200) == "!");
  CHECK(note(Family::v4, 12, 0) == "!");
  CHECK(note(Family::v4, 11, 1) == "!");
  CHECK(note(Family::v6, 1, 0) == "!N");
  CHECK(note(Family::v6, 1, 3) == "!H");
  CHECK(note(Family::v6, 2, 0) == "!F");
}

TEST_CASE("an error that is cut before the eighth quoted byte names nothing", "[quote][wire]") {
  every_truncation(error4(11, 0, ipv4(1) + kEcho4),
                   [](const Bytes& cut) { CHECK_FALSE(parse_quote(Family::v4, cut).has_value()); });
  every_truncation(error6(3, 0, ipv6() + kEcho6),
                   [](const Bytes& cut) { CHECK_FALSE(parse_quote(Family::v6, cut).has_value()); });
}

TEST_CASE("a damaged error names no other probe of ours", "[quote][wire]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const bool v4 = family == Family::v4;
  const Bytes whole = v4 ? error4(11, 0, ipv4(1) + kEcho4) : error6(3, 0, ipv6() + kEcho6);
  const std::size_t echo = whole.size() - 8;
  const std::size_t destination = v4 ? echo - 4 : echo - 16;
  every_bit_flip(whole, [&](const Bytes& other, std::size_t at) {
    const auto quote = parse_quote(family, other);
    if (!quote || !quote->echo()) return;
    INFO("byte " << at);
    const bool same = quote->echo()->identifier == 0x1234 && quote->echo()->sequence == 0xabcd;
    CHECK(same == (at < echo + 4));
    CHECK((quote->destination.text() == (v4 ? "203.0.113.9" : "2001:db8::9")) ==
          (at < destination || at >= echo));
  });
}
