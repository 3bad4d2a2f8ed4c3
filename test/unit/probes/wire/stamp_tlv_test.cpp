#include "probes/wire/stamp_tlv.hpp"

#include <random>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace hopwise::probes::stamp;

namespace {

using Bytes = std::vector<std::uint8_t>;

const HmacKey& key() {
  static const HmacKey shared = HmacKey::of("0123456789abcdef").value();
  return shared;
}

constexpr std::uint32_t kAsked = 7, kAnswered = 1007;

TlvAnswers answers() {
  TlvAnswers all;
  all.request_sequence = kAsked;
  all.reply_sequence = kAnswered;
  all.traffic_class = 0x2a << 2U | 1;
  all.source = SyncSource::ntp;
  all.session = TlvAnswers::Session{12, 11, FollowUp{1006, 0x1234567890, StampMethod::software}};
  return all;
}

// All that can be asked, signed where there is a key.
Bytes everything(const HmacKey* with) {
  Bytes area(200);
  TlvWriter write(area);
  REQUIRE(write.pad(5));
  REQUIRE(write.ask_timestamp_information());
  REQUIRE(write.ask_class_of_service(46));
  REQUIRE(write.ask_direct_measurement(15));
  REQUIRE(write.ask_follow_up());
  if (with != nullptr) REQUIRE(write.sign(*with, kAsked));
  area.resize(write.size());
  return area;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Bytes tlv(std::uint8_t type, const Bytes& value, std::uint8_t flags = kUnrecognised) {
  return Bytes{flags, type, static_cast<std::uint8_t>(value.size() >> 8U),
               static_cast<std::uint8_t>(value.size())} +
         value;
}

}  // namespace

TEST_CASE("TLVs are asked with U, as RFC 8972 lays them out", "[stamp]") {
  const Bytes area = everything(nullptr);
  CHECK(area == tlv(1, Bytes(5)) + tlv(3, Bytes(4)) + tlv(4, {46 << 2, 0, 0, 0}) +
                    tlv(5, Bytes{0, 0, 0, 15} + Bytes(8)) + tlv(7, Bytes(16)));
  Bytes small(7);
  TlvWriter write(small);
  CHECK_FALSE(write.ask_timestamp_information());
  CHECK_FALSE(write.sign(key(), 1));
  CHECK(write.size() == 0);
  CHECK(write.pad(3));
  CHECK_FALSE(write.pad(0));
}

TEST_CASE("a reflector answers every TLV that it knows", "[stamp]") {
  const HmacKey* with = GENERATE(false, true) ? &key() : nullptr;
  Bytes area = everything(with);
  const std::size_t size = area.size();
  const auto reflection = reflect_tlvs(area, answers(), with);
  CHECK(area.size() == size);
  CHECK(reflection.verdict == TlvVerdict::whole);
  CHECK(reflection.dscp == std::uint8_t{46});
  const auto told = read_tlvs(area, kAnswered, with);
  CHECK(told.verdict == TlvVerdict::whole);
  CHECK(told.unrecognised == 0);
  CHECK((told.timestamps == TimestampInformation{SyncSource::ntp, SyncSource::ntp,
                                                 StampMethod::software, StampMethod::software}));
  CHECK((told.service == ClassOfService{46, 0x2a, 1, false}));
  CHECK((told.counts == DirectMeasurement{15, 12, 11}));
  CHECK((told.follow_up == FollowUp{1006, 0x1234567890, StampMethod::software}));
  if (with != nullptr) CHECK(read_tlvs(area, kAsked, with).verdict == TlvVerdict::tampered);
}

TEST_CASE("a class of service that the reflector does not allow is refused", "[stamp]") {
  Bytes area = tlv(4, {46 << 2, 0, 0xff, 0xff});
  TlvAnswers strict = answers();
  strict.highest_dscp = 45;
  CHECK_FALSE(reflect_tlvs(area, strict, nullptr).dscp);
  const auto told = read_tlvs(area, kAnswered, nullptr);
  CHECK((told.service == ClassOfService{46, 0x2a, 1, true}));
  CHECK(area[6] == 0);
  CHECK(area[7] == 0);
}

TEST_CASE("a stateless reflector does not count, and follows up with zeros", "[stamp]") {
  Bytes area = tlv(5, Bytes{0, 0, 0, 9} + Bytes(8)) + tlv(7, Bytes(16, 0xaa));
  TlvAnswers stateless = answers();
  stateless.session.reset();
  CHECK(reflect_tlvs(area, stateless, nullptr).verdict == TlvVerdict::whole);
  const auto told = read_tlvs(area, kAnswered, nullptr);
  CHECK(told.unrecognised == 1);
  CHECK_FALSE(told.counts);
  CHECK((told.follow_up == FollowUp{}));
}

TEST_CASE("unknown TLVs come back with U, and the next ones are answered", "[stamp]") {
  const Bytes unknown = tlv(200, {1, 2, 3}, 0) + tlv(2, Bytes(4), 0x1f);
  Bytes area = unknown + tlv(3, Bytes(4));
  CHECK(reflect_tlvs(area, answers(), nullptr).verdict == TlvVerdict::whole);
  CHECK(Bytes(area.begin(), area.begin() + 15) ==
        tlv(200, {1, 2, 3}, kUnrecognised) + tlv(2, Bytes(4), kUnrecognised));
  const auto told = read_tlvs(area, kAnswered, nullptr);
  CHECK(told.unrecognised == 2);
  CHECK(told.timestamps.has_value());
}

TEST_CASE("behind a malformed TLV all is left as it came", "[stamp]") {
  const Bytes rest = tlv(3, Bytes(4));
  SECTION("its length is not its type's") {
    Bytes area = tlv(4, Bytes(5, 0x11)) + rest;
    CHECK(reflect_tlvs(area, answers(), nullptr).verdict == TlvVerdict::malformed);
    CHECK(area == tlv(4, Bytes(5, 0x11), kMalformed) + rest);
    CHECK(read_tlvs(area, kAnswered, nullptr).verdict == TlvVerdict::malformed);
  }
  SECTION("it is longer than what is there") {
    Bytes area = tlv(3, Bytes(4)) + Bytes{kUnrecognised, 77, 0, 9, 1, 2, 3};
    CHECK(reflect_tlvs(area, answers(), nullptr).verdict == TlvVerdict::malformed);
    CHECK(Bytes(area.begin() + 8, area.end()) == Bytes{kMalformed, 77, 0, 9, 1, 2, 3});
    const auto told = read_tlvs(area, kAnswered, nullptr);
    CHECK(told.verdict == TlvVerdict::malformed);
    CHECK(told.timestamps.has_value());
  }
  SECTION("follow-up telemetry is zeroed too") {
    Bytes area = tlv(7, Bytes(15, 0x22)) + rest;
    CHECK(reflect_tlvs(area, answers(), nullptr).verdict == TlvVerdict::malformed);
    CHECK(area == tlv(7, Bytes(12) + Bytes(3, 0x22), kMalformed) + rest);
  }
  SECTION("what it says there means nothing") {
    Bytes area = tlv(3, {}) + tlv(3, Bytes(4), kTampered);
    CHECK(reflect_tlvs(area, answers(), nullptr).verdict == TlvVerdict::malformed);
    CHECK(read_tlvs(area, kAnswered, nullptr).verdict == TlvVerdict::malformed);
  }
  SECTION("signed, the rest is signed anew") {
    Bytes area(60);
    TlvWriter write(area);
    REQUIRE(write.pad(4));
    area[3] = 4;
    area[1] = 7;  // follow-up telemetry of 4 bytes
    REQUIRE(write.ask_timestamp_information());
    REQUIRE(write.sign(key(), kAsked));
    area.resize(write.size());
    CHECK(reflect_tlvs(area, answers(), &key()).verdict == TlvVerdict::malformed);
    CHECK(read_tlvs(area, kAnswered, &key()).verdict == TlvVerdict::malformed);
    CHECK(read_tlvs(area, kAsked, &key()).verdict == TlvVerdict::tampered);
  }
}

TEST_CASE("TWAMP-Light's padding is no TLV", "[stamp]") {
  Bytes zeros(27);
  CHECK(reflect_tlvs(zeros, answers(), nullptr).verdict == TlvVerdict::whole);
  CHECK(zeros == Bytes(27));
  Bytes rest = tlv(3, Bytes(4)) + Bytes{9, 9, 9};
  CHECK(reflect_tlvs(rest, answers(), nullptr).verdict == TlvVerdict::whole);
  CHECK(Bytes(rest.end() - 3, rest.end()) == Bytes{9, 9, 9});
}

TEST_CASE("TLVs that are not signed as they must be are not looked at", "[stamp]") {
  const auto all_flagged = [](Bytes area, const HmacKey* with) {
    const auto reflection = reflect_tlvs(area, answers(), with);
    if (reflection.verdict != TlvVerdict::tampered || reflection.dscp) return false;
    for (std::size_t at = 0; at + 4 <= area.size();
         at += 4 + (std::size_t{area[at + 2]} << 8U | area[at + 3]))
      if ((area[at] & kTampered) == 0) return false;
    return read_tlvs(area, kAnswered, with).verdict == TlvVerdict::tampered;
  };
  CHECK(all_flagged(everything(nullptr), &key()));                    // not signed at all
  CHECK(all_flagged(everything(&key()) + tlv(3, Bytes(4)), &key()));  // HMAC not last
  CHECK(all_flagged(tlv(8, Bytes(16)), &key()));
  CHECK(all_flagged(tlv(8, Bytes(15)), &key()));
  CHECK(all_flagged(everything(&key()) + tlv(8, Bytes(16)), &key()));
  CHECK(all_flagged(everything(&key()), nullptr));  // nobody can tell without the key

  Bytes padded = everything(&key()) + tlv(1, Bytes(9));
  CHECK(reflect_tlvs(padded, answers(), &key()).verdict == TlvVerdict::whole);
  Bytes alone = tlv(1, Bytes(9));
  CHECK(reflect_tlvs(alone, answers(), &key()).verdict == TlvVerdict::whole);
}

TEST_CASE("no bit of signed TLVs can be flipped", "[stamp]") {
  const Bytes asked = everything(&key());
  Bytes answered = asked;
  REQUIRE(reflect_tlvs(answered, answers(), &key()).verdict == TlvVerdict::whole);
  // The HMAC covers what is before its TLV, and is covered by itself; its own flags are not.
  const std::size_t hmac = asked.size() - 20;
  for (std::size_t bit = 0; bit < 8 * asked.size(); bit++) {
    if (bit / 8 == hmac) continue;
    const auto flip = static_cast<std::uint8_t>(1U << bit % 8);
    Bytes request = asked, reply = answered;
    request[bit / 8] ^= flip;
    reply[bit / 8] ^= flip;
    INFO(bit);
    REQUIRE(reflect_tlvs(request, answers(), &key()).verdict == TlvVerdict::tampered);
    REQUIRE(read_tlvs(reply, kAnswered, &key()).verdict == TlvVerdict::tampered);
  }
}

TEST_CASE("TLVs that were cut anywhere are read to their end and no further", "[stamp]") {
  const HmacKey* with = GENERATE(false, true) ? &key() : nullptr;
  const Bytes whole = everything(with);
  for (std::size_t size = 0; size <= whole.size(); size++) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    cut.shrink_to_fit();
    reflect_tlvs(cut, answers(), with);
    REQUIRE(cut.size() == size);
    const auto told = read_tlvs(cut, kAnswered, with);
    if (with != nullptr && size > 13 && size < whole.size())
      REQUIRE(told.verdict != TlvVerdict::whole);
  }
}

TEST_CASE("noise is no TLV that could hurt", "[stamp]") {
  std::mt19937 random(8972);
  for (int i = 0; i < 20000; i++) {
    Bytes area(random() % 64);
    for (auto& byte : area) byte = static_cast<std::uint8_t>(random() % (i % 2 == 0 ? 9 : 256));
    const HmacKey* with = i % 3 == 0 ? &key() : nullptr;
    reflect_tlvs(area, answers(), with);
    read_tlvs(area, kAnswered, with);
  }
}
