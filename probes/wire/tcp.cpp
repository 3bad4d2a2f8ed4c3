#include "probes/wire/tcp.hpp"

#include "probes/wire/bytes.hpp"
#include "probes/wire/ip.hpp"
#include "probes/wire/siphash.hpp"

namespace hopwise::probes {
namespace {

// Offsets in a TCP header (RFC 9293, 3.1), and its flags.
constexpr std::size_t kSourcePort = 0;
constexpr std::size_t kDestinationPort = 2;
constexpr std::size_t kSequence = 4;
constexpr std::size_t kAcknowledged = 8;
constexpr std::size_t kDataOffset = 12;
constexpr std::size_t kFlags = 13;
constexpr std::size_t kWindow = 14;
constexpr std::size_t kChecksum = 16;
constexpr std::size_t kOptions = 20;
constexpr std::size_t kLeastBytes = 20;
constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;

constexpr std::uint16_t kUsualWindow = 64240;

std::uint16_t round(const std::array<std::uint64_t, 2>& key, std::uint32_t number,
                    std::uint16_t half) {
  return static_cast<std::uint16_t>(siphash(key, std::uint64_t{number} << 32U | half));
}

constexpr std::uint32_t kRounds = 4;
constexpr std::uint32_t kSequenceMask = (1U << kSynSequenceBits) - 1;
static_assert(kSynSlotBits + kSynSequenceBits == 32);

void fill_header(const TcpEnds& ends, std::uint32_t sequence, std::uint8_t flags,
                 std::span<std::uint8_t> segment) {
  put(segment.subspan(kSourcePort), ends.source_port);
  put(segment.subspan(kDestinationPort), ends.destination_port);
  put(segment.subspan(kSequence), sequence);
  segment[kDataOffset] = static_cast<std::uint8_t>(segment.size() / 4 << 4U);
  segment[kFlags] = flags;
}

// The pseudo header is the same for both families as far as a sum sees it: addresses, protocol and
// length (RFC 9293, 3.1; RFC 8200, 8.1).
void fill_checksum(const TcpEnds& ends, std::span<std::uint8_t> segment) {
  const std::array<std::uint8_t, 4> rest{0, kIpProtocolTcp, 0,
                                         static_cast<std::uint8_t>(segment.size())};
  std::uint16_t total = sum(std::span(ends.source.bytes).first(ends.source.size()));
  total = sum(std::span(ends.destination.bytes).first(ends.destination.size()), total);
  total = sum(segment, sum(rest, total));
  put(segment.subspan(kChecksum), static_cast<std::uint16_t>(~total));
}

}  // namespace

std::uint32_t SynSecret::isn(const SynTag& tag) const {
  const std::uint32_t plain = tag.slot << kSynSequenceBits | (tag.sequence & kSequenceMask);
  auto left = static_cast<std::uint16_t>(plain >> 16U);
  auto right = static_cast<std::uint16_t>(plain);
  for (std::uint32_t i = 0; i < kRounds; i++) {
    const auto next = static_cast<std::uint16_t>(left ^ round(key_, i, right));
    left = right;
    right = next;
  }
  return std::uint32_t{left} << 16U | right;
}

SynTag SynSecret::tag(std::uint32_t isn) const {
  auto left = static_cast<std::uint16_t>(isn >> 16U);
  auto right = static_cast<std::uint16_t>(isn);
  for (std::uint32_t i = kRounds; i-- > 0;) {
    const auto before = static_cast<std::uint16_t>(right ^ round(key_, i, left));
    right = left;
    left = before;
  }
  const std::uint32_t plain = std::uint32_t{left} << 16U | right;
  return {plain >> kSynSequenceBits, plain & kSequenceMask};
}

std::uint32_t whole_sequence(std::uint32_t low, std::uint32_t next) {
  const std::uint32_t newest = next - 1;
  return newest - ((newest - low) & kSequenceMask);
}

std::array<std::uint8_t, kSynBytes> build_syn(const TcpEnds& ends, std::uint32_t isn) {
  std::array<std::uint8_t, kSynBytes> segment{};
  fill_header(ends, isn, kSyn, segment);
  put(std::span(segment).subspan(kWindow), kUsualWindow);
  const std::uint16_t mss = ends.destination.is_v4() ? 1460 : 1440;
  put(std::span(segment).subspan(kOptions), std::uint32_t{0x02040000} | mss);
  fill_checksum(ends, segment);
  return segment;
}

std::array<std::uint8_t, kRstBytes> build_rst(const TcpEnds& ends, std::uint32_t sequence) {
  std::array<std::uint8_t, kRstBytes> segment{};
  fill_header(ends, sequence, kRst, segment);
  fill_checksum(ends, segment);
  return segment;
}

std::optional<SynSeen> parse_syn(std::span<const std::uint8_t> segment) {
  if (segment.size() < kLeastBytes || segment[kFlags] != kSyn) return {};
  return SynSeen{get<std::uint32_t>(segment.subspan(kSequence)),
                 get<std::uint16_t>(segment.subspan(kDestinationPort))};
}

std::optional<TcpAnswer> parse_answer(Family family, std::span<const std::uint8_t> datagram) {
  auto segment = datagram;
  if (family == Family::v4) {
    const auto packet = parse_ip(family, datagram);
    if (!packet || packet->protocol != kIpProtocolTcp) return {};
    segment = packet->payload;
  }
  if (segment.size() < kLeastBytes) return {};
  const std::size_t header = (segment[kDataOffset] >> 4U) * std::size_t{4};
  if (header < kLeastBytes || header > segment.size()) return {};
  const auto flags = segment[kFlags] & (kFin | kSyn | kRst | kAck);
  if (flags != (kSyn | kAck) && flags != (kRst | kAck)) return {};
  return TcpAnswer{(flags & kSyn) != 0 ? TcpAnswer::Kind::open : TcpAnswer::Kind::closed,
                   get<std::uint16_t>(segment.subspan(kSourcePort)),
                   get<std::uint16_t>(segment.subspan(kDestinationPort)),
                   get<std::uint32_t>(segment.subspan(kAcknowledged))};
}

}  // namespace hopwise::probes
