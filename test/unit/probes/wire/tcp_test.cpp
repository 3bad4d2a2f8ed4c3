#include "probes/wire/tcp.hpp"

#include <bit>
#include <set>

#include "probes/wire/siphash.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/wire/packet.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

const SynSecret kSecret({0x0123456789abcdef, 0xfedcba9876543210});

TcpEnds ends(Family family) {
  if (family == Family::v4)
    return {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("203.0.113.9"), 33000, 443};
  return {*IpAddress::parse("2001:db8::1"), *IpAddress::parse("2001:db8::9"), 33000, 443};
}

// RFC 793 and RFC 8200, written anew for the test.
Bytes with_pseudo_header(const TcpEnds& e, const Bytes& segment) {
  const auto bytes = [](const IpAddress& a) {
    return Bytes(a.bytes.begin(), a.bytes.begin() + static_cast<std::ptrdiff_t>(a.size()));
  };
  const Bytes addresses = bytes(e.source) + bytes(e.destination);
  const auto size = static_cast<std::uint8_t>(segment.size());
  return e.source.is_v4() ? addresses + Bytes{0, 6, 0, size} + segment
                          : addresses + Bytes{0, 0, 0, size, 0, 0, 0, 6} + segment;
}

template <std::size_t n>
Bytes bytes(const std::array<std::uint8_t, n>& array) {
  return {array.begin(), array.end()};
}

// What comes back for a SYN: flags 0x12 is SYN-ACK, 0x14 RST-ACK.
Bytes answer(Family family, std::uint32_t isn, std::uint8_t flags) {
  Bytes segment(24);
  segment[0] = 443 >> 8U, segment[1] = 443 & 0xffU;
  segment[2] = 33000 >> 8U, segment[3] = 33000 & 0xffU;
  for (unsigned i = 0; i < 4; i++)
    segment[8 + i] = static_cast<std::uint8_t>((isn + 1) >> (24 - 8 * i));
  segment[12] = 6 << 4U;
  segment[13] = flags;
  return family == Family::v4 ? ipv4(6) + segment : segment;
}

}  // namespace

TEST_CASE("SipHash is SipHash-2-4", "[tcp][wire]") {
  // The reference implementation's vector of the message 00 01 .. 07.
  CHECK(siphash({0x0706050403020100, 0x0f0e0d0c0b0a0908}, 0x0706050403020100) ==
        0x93f5f5799a932462);
}

TEST_CASE("a SYN and the RST that ends it have valid checksums in both families", "[tcp][wire]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  for (const std::uint32_t sequence : {0U, 1U, 0x7fffffffU, 0xfffffffeU, 0xffffffffU}) {
    const Bytes syn = bytes(build_syn(ends(family), sequence));
    const Bytes rst = bytes(build_rst(ends(family), sequence));
    CHECK(checksum_holds(with_pseudo_header(ends(family), syn)));
    CHECK(checksum_holds(with_pseudo_header(ends(family), rst)));
    CHECK(syn[13] == 0x02);
    CHECK(rst[13] == 0x04);
    CHECK(syn.size() == (syn[12] >> 4U) * 4U);
    CHECK(rst.size() == (rst[12] >> 4U) * 4U);
    CHECK((syn[2] << 8U | syn[3]) == 443);
    CHECK((syn[20] << 8U | syn[21]) == 0x0204);
  }
}

TEST_CASE("the initial sequence number tells the probe", "[tcp][wire]") {
  for (const std::uint32_t slot : {0U, 1U, 77U, (1U << kSynSlotBits) - 1})
    for (const std::uint32_t sequence : {0U, 1U, 1000U, (1U << kSynSequenceBits) - 1}) {
      const SynTag tag{slot, sequence};
      CHECK(kSecret.tag(kSecret.isn(tag)) == tag);
    }
}

TEST_CASE(
    "initial sequence numbers of probes in a row look random, and are another process's no more",
    "[tcp][wire]") {
  const SynSecret other({0x0123456789abcdee, 0xfedcba9876543210});
  int changed = 0, agreed = 0;
  std::set<std::uint32_t> seen;
  constexpr std::uint32_t kCount = 4096;
  for (std::uint32_t i = 0; i < kCount; i++) {
    const std::uint32_t isn = kSecret.isn({5, i});
    seen.insert(isn);
    changed += std::popcount(isn ^ kSecret.isn({5, i + 1}));
    agreed += other.tag(isn).slot == 5 ? 1 : 0;
  }
  CHECK(seen.size() == kCount);
  // 16 bits of 32 in the mean; its standard deviation over 4096 is 0.04.
  CHECK(changed / double{kCount} == Approx(16).margin(0.5));
  CHECK(agreed <= 2);
}

TEST_CASE("a probe's whole sequence is the newest that was sent", "[tcp][wire]") {
  CHECK(whole_sequence(0, 1) == 0);
  CHECK(whole_sequence(16383, 16384) == 16383);
  CHECK(whole_sequence(5, 16384 + 6) == 16384 + 5);
  CHECK(whole_sequence(6, 16384 + 6) == 6);
  CHECK(whole_sequence(16383, 0x80000001) == 0x7fffffff);
}

TEST_CASE("SYN-ACK and RST name the probe that they answer", "[tcp][wire]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const SynTag tag{1234, 56};
  const auto open = parse_answer(family, answer(family, kSecret.isn(tag), 0x12));
  REQUIRE(open);
  CHECK(open->kind == TcpAnswer::Kind::open);
  CHECK(open->source_port == 443);
  CHECK(open->destination_port == 33000);
  CHECK(kSecret.tag(open->isn()) == tag);
  const auto closed = parse_answer(family, answer(family, 0xffffffff, 0x14));
  REQUIRE(closed);
  CHECK(closed->kind == TcpAnswer::Kind::closed);
  CHECK(closed->isn() == 0xffffffff);
  // With ECN asked for or not.
  CHECK(parse_answer(family, answer(family, 1, 0x52)));
}

TEST_CASE("what answers no SYN is no answer", "[tcp][wire]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  for (unsigned flags = 0; flags < 256; flags++) {
    const unsigned decisive = flags & 0x17U;
    INFO("flags " << flags);
    CHECK(parse_answer(family, answer(family, 7, static_cast<std::uint8_t>(flags))).has_value() ==
          (decisive == 0x12 || decisive == 0x14));
  }
  Bytes udp = answer(Family::v4, 7, 0x12);
  udp[9] = 17;
  CHECK_FALSE(parse_answer(Family::v4, udp));
}

TEST_CASE("a cut answer is none", "[tcp][wire]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  every_truncation(answer(family, 7, 0x12),
                   [&](const Bytes& cut) { CHECK_FALSE(parse_answer(family, cut).has_value()); });
}

TEST_CASE("a damaged answer names no other probe's", "[tcp][wire]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const std::size_t segment = family == Family::v4 ? 20 : 0;
  const SynTag tag{1234, 56};
  every_bit_flip(answer(family, kSecret.isn(tag), 0x12), [&](const Bytes& other, std::size_t at) {
    const auto parsed = parse_answer(family, other);
    if (!parsed) return;
    INFO("byte " << at);
    const bool ports = at >= segment && at < segment + 4;
    const bool number = at >= segment + 8 && at < segment + 12;
    CHECK((parsed->source_port != 443 || parsed->destination_port != 33000) == ports);
    CHECK((kSecret.tag(parsed->isn()) != tag) == number);
  });
}
