#include "probes/wire/stamp.hpp"

#include <array>
#include <random>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace hopwise::probes::stamp;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;

const HmacKey& key() {
  static const HmacKey shared = HmacKey::of("0123456789abcdef").value();
  return shared;
}

// Both modes: without a key, and with it.
const HmacKey* any_key() {
  return GENERATE(false, true) ? &key() : nullptr;
}

Request any_request(std::mt19937_64& random) {
  Request request;
  request.sequence = static_cast<std::uint32_t>(random());
  request.sent = random();
  request.error = ErrorEstimate::from(static_cast<std::uint16_t>(random()));
  request.ssid = static_cast<std::uint16_t>(random());
  return request;
}

Reflection any_reflection(std::mt19937_64& random) {
  Reflection reflection;
  reflection.sequence = static_cast<std::uint32_t>(random());
  // Until 2043: over the end of the era.
  reflection.sent = WallTime(Duration(random() >> 3U));
  reflection.received = WallTime(Duration(random() >> 3U));
  reflection.error = ErrorEstimate::from(static_cast<std::uint16_t>(random() & 0xbfffU));
  reflection.ttl = static_cast<std::uint8_t>(1 + random() % 254);
  return reflection;
}

Bytes built(const Request& request, const HmacKey* with, std::size_t tail = 0) {
  Bytes packet(base_bytes(with) + tail, 0xee);
  build_request(request, with, packet);
  return packet;
}

Bytes built(const Request& request, const Reflection& reflection, const HmacKey* with) {
  Bytes packet(base_bytes(with));
  build_reply(request, reflection, with, packet);
  return packet;
}

}  // namespace

TEST_CASE("a STAMP request's fields stand where RFC 8762 puts them", "[stamp]") {
  const Request request{0x01020304, 0x1112131415161718, ErrorEstimate::from(0x2122), 0x3132};
  const Bytes open = built(request, nullptr);
  const Bytes head{1,    2,    3,    4,    0x11, 0x12, 0x13, 0x14,
                   0x15, 0x16, 0x17, 0x18, 0x21, 0x22, 0x31, 0x32};
  CHECK(open.size() == 44);
  CHECK(Bytes(open.begin(), open.begin() + 16) == head);
  CHECK(Bytes(open.begin() + 16, open.end()) == Bytes(28));

  const Bytes closed = built(request, &key());
  CHECK(closed.size() == 112);
  CHECK(Bytes(closed.begin(), closed.begin() + 4) == Bytes(head.begin(), head.begin() + 4));
  CHECK(Bytes(closed.begin() + 4, closed.begin() + 16) == Bytes(12));
  CHECK(Bytes(closed.begin() + 16, closed.begin() + 28) == Bytes(head.begin() + 4, head.end()));
  CHECK(Bytes(closed.begin() + 28, closed.begin() + 96) == Bytes(68));
}

TEST_CASE("a STAMP reply's fields stand where RFC 8762 puts them", "[stamp]") {
  const Request request{0x01020304, 0x1112131415161718, ErrorEstimate::from(0x2122), 0x3132};
  const Reflection reflection{0x41424344, WallTime(500ms), WallTime(250ms),
                              ErrorEstimate::from(0x5152), 61};
  const Bytes t3{0x83, 0xaa, 0x7e, 0x80, 0x80, 0, 0, 0}, t2{0x83, 0xaa, 0x7e, 0x80, 0x40, 0, 0, 0};
  const auto bytes = [](const Bytes& packet, std::size_t at, std::size_t count) {
    return Bytes(packet.begin() + static_cast<std::ptrdiff_t>(at),
                 packet.begin() + static_cast<std::ptrdiff_t>(at + count));
  };
  struct Where {
    const HmacKey* with;
    std::size_t t3, error, ssid, t2, sequence, t1, sender_error, ttl;
  };
  for (const Where& where : {Where{nullptr, 4, 12, 14, 16, 24, 28, 36, 40},
                             Where{&key(), 16, 24, 26, 32, 48, 64, 72, 80}}) {
    const Bytes packet = built(request, reflection, where.with);
    CHECK(bytes(packet, 0, 4) == Bytes{0x41, 0x42, 0x43, 0x44});
    CHECK(bytes(packet, where.t3, 8) == t3);
    CHECK(bytes(packet, where.error, 2) == Bytes{0x51, 0x52});
    CHECK(bytes(packet, where.ssid, 2) == Bytes{0x31, 0x32});
    CHECK(bytes(packet, where.t2, 8) == t2);
    CHECK(bytes(packet, where.sequence, 4) == Bytes{1, 2, 3, 4});
    CHECK(bytes(packet, where.t1, 8) == Bytes{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18});
    CHECK(bytes(packet, where.sender_error, 2) == Bytes{0x21, 0x22});
    CHECK(packet[where.ttl] == 61);
    CHECK(bytes(packet, where.ttl + 1, 3) == Bytes(3));
  }
}

TEST_CASE("what is built is what is parsed, both ways and in both modes", "[stamp]") {
  const HmacKey* with = any_key();
  std::mt19937_64 random(8762);
  for (int i = 0; i < 2000; i++) {
    const Request request = any_request(random);
    const Bytes asked = built(request, with, i % 7);
    const auto came = parse_request(asked, with);
    REQUIRE(came.has_value());
    REQUIRE(*came == request);
    for (std::size_t at = base_bytes(with); at < asked.size(); at++) REQUIRE(asked[at] == 0xee);

    const Reflection reflection = any_reflection(random);
    const auto reply = parse_reply(built(request, reflection, with), with);
    REQUIRE(reply.has_value());
    REQUIRE(reply->sequence == reflection.sequence);
    REQUIRE(reply->sent == reflection.sent);
    REQUIRE(reply->received == reflection.received);
    REQUIRE(reply->error == reflection.error);
    REQUIRE(reply->request == request);
    REQUIRE(reply->ssid.value_or(0) == request.ssid);
    REQUIRE(reply->ttl == (reflection.ttl));
  }
}

TEST_CASE("a packet that was cut short is refused, or says less", "[stamp]") {
  const HmacKey* with = any_key();
  std::mt19937_64 random(1);
  const Request request = any_request(random);
  const Bytes asked = built(request, with);
  const Bytes answer = built(request, any_reflection(random), with);
  for (std::size_t size = 0; size < base_bytes(with); size++) {
    // Of its own memory, so that a sanitizer sees what is read beyond.
    const Bytes short_request(asked.begin(), asked.begin() + static_cast<std::ptrdiff_t>(size));
    const Bytes short_reply(answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(size));
    const auto came = parse_request(short_request, with);
    const auto reply = parse_reply(short_reply, with);
    INFO(size);
    REQUIRE(came.has_value() == (with == nullptr && size >= kMinRequestBytes));
    REQUIRE(reply.has_value() == (with == nullptr && size >= kMinReplyBytes));
    if (!came) REQUIRE(came.error() == Refused::too_short);
    if (!reply) REQUIRE(reply.error() == Refused::too_short);
    if (came) REQUIRE(came->sequence == request.sequence);
    if (reply) REQUIRE(reply->request == request);
  }
  if (with == nullptr)
    CHECK(parse_request(Bytes(asked.begin(), asked.begin() + 14), with)->ssid == 0);
}

TEST_CASE("no bit of an authenticated packet can be flipped", "[stamp]") {
  std::mt19937_64 random(2);
  const Request request = any_request(random);
  Bytes asked = built(request, &key());
  Bytes answer = built(request, any_reflection(random), &key());
  for (std::size_t bit = 0; bit < 8 * kAuthenticatedBytes; bit++) {
    const auto flip = static_cast<std::uint8_t>(1U << bit % 8);
    asked[bit / 8] ^= flip;
    answer[bit / 8] ^= flip;
    const auto came = parse_request(asked, &key());
    const auto reply = parse_reply(answer, &key());
    REQUIRE((came.has_error() && came.error() == Refused::wrong_hmac));
    REQUIRE((reply.has_error() && reply.error() == Refused::wrong_hmac));
    asked[bit / 8] ^= flip;
    answer[bit / 8] ^= flip;
  }
  CHECK(parse_request(asked, &key()).has_value());
  const auto other = HmacKey::of("another key").value();
  CHECK(parse_request(asked, &other).error() == Refused::wrong_hmac);
}

TEST_CASE("what a TWAMP-Light reflector does not tell is unknown", "[stamp]") {
  Request request;
  request.sequence = 9;
  Reflection reflection;
  for (const std::uint8_t ttl : {std::uint8_t{0}, std::uint8_t{255}}) {
    reflection.ttl = ttl;
    const auto reply = parse_reply(built(request, reflection, nullptr), nullptr);
    REQUIRE(reply.has_value());
    CHECK_FALSE(reply->ttl);
    CHECK_FALSE(reply->ssid);
  }
  Bytes packet = built(request, reflection, nullptr);
  packet.resize(41);
  CHECK(parse_reply(packet, nullptr)->request.sequence == 9);
}

TEST_CASE("timestamps of a reflector that speaks PTP are read as such", "[stamp]") {
  Bytes packet(44);
  packet[12] = 0x40;
  packet[4] = 0x6a, packet[11] = 7;
  packet[16] = 0x6a, packet[23] = 3;
  const auto reply = parse_reply(packet, nullptr);
  CHECK(reply->error.format == ErrorEstimate::Format::ptp);
  CHECK(reply->sent - reply->received == 4ns);
}

TEST_CASE("an HMAC key is not empty, and signs as RFC 4231 says", "[stamp]") {
  CHECK(HmacKey::of("").has_error());
  // RFC 4231, test case 2, cut to 16 bytes.
  const auto jefe = HmacKey::of("Jefe").value();
  const std::string_view text = "what do ya want for nothing?";
  const std::span<const std::uint8_t> data(reinterpret_cast<const std::uint8_t*>(text.data()),
                                           text.size());
  const Digest right{0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                     0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7};
  CHECK(jefe.sign(data) == right);
  CHECK(jefe.sign(data.first(5), data.subspan(5)) == right);
  CHECK(jefe.sign({}, data) == right);
  CHECK(jefe.signed_by(right, data));
  CHECK_FALSE(jefe.signed_by(std::span(right).first(15), data));
}
