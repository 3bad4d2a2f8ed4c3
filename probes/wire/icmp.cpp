#include "probes/wire/icmp.hpp"

#include <algorithm>

#include "probes/wire/bytes.hpp"

namespace hopwise::probes {
namespace {

// Offsets in an echo message (RFC 792, RFC 4443), and of the tag that we put in its payload.
constexpr std::size_t kType = 0;
constexpr std::size_t kChecksum = 2;
constexpr std::size_t kIdentifier = 4;
constexpr std::size_t kSequence = 6;
constexpr std::size_t kNonce = kEchoHeaderBytes;
constexpr std::size_t kLongSequence = kNonce + 8;
constexpr std::size_t kSlot = kLongSequence + 4;
constexpr std::size_t kCompensation = kSlot + 4;
constexpr std::size_t kTagEnd = kCompensation + 2;
static_assert(kTagEnd <= kEchoHeaderBytes + kMinPayloadBytes && kCompensation % 2 == 0);

constexpr std::size_t kIpv6HeaderBytes = 40;
constexpr std::uint8_t kIpProtocolIcmp = 1;
constexpr std::uint8_t kIpProtocolIcmpv6 = 58;

struct Types {
  std::uint8_t request, reply;
};
constexpr Types types(Family family) {
  return family == Family::v4 ? Types{8, 0} : Types{128, 129};
}

std::optional<EchoTag> tag_of(std::span<const std::uint8_t> message, std::uint8_t type) {
  if (message.size() < kTagEnd || message[kType] != type) return {};
  const EchoTag tag{get<std::uint16_t>(message.subspan(kIdentifier)),
                    get<std::uint32_t>(message.subspan(kLongSequence)),
                    get<std::uint32_t>(message.subspan(kSlot)),
                    get<std::uint64_t>(message.subspan(kNonce))};
  if (get<std::uint16_t>(message.subspan(kSequence)) != (tag.sequence & 0xffffU)) return {};
  return tag;
}

// What is behind an IPv4 header; empty where there is none, or it carries another protocol.
std::span<const std::uint8_t> inside_ipv4(std::span<const std::uint8_t> packet) {
  if (packet.size() < 20 || packet[0] >> 4U != 4 || packet[9] != kIpProtocolIcmp) return {};
  const std::size_t header = (packet[0] & 0xfU) * std::size_t{4};
  if (header < 20 || header > packet.size()) return {};
  return packet.subspan(header);
}

std::span<const std::uint8_t> inside_ipv6(std::span<const std::uint8_t> packet) {
  if (packet.size() < kIpv6HeaderBytes || packet[0] >> 4U != 6 || packet[6] != kIpProtocolIcmpv6)
    return {};
  return packet.subspan(kIpv6HeaderBytes);
}

// Destination unreachable, time exceeded, and what the families call differently: ICMP's parameter
// problem; ICMPv6's packet too big and parameter problem.
bool is_error(Family family, std::uint8_t type) {
  return family == Family::v4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

}  // namespace

void build_request(Family family, const EchoTag& tag, std::span<std::uint8_t> message) {
  std::fill(message.begin(), message.end(), std::uint8_t{0});
  message[kType] = types(family).request;
  put(message.subspan(kChecksum), kEchoChecksum);
  put(message.subspan(kIdentifier), tag.identifier);
  put(message.subspan(kSequence), static_cast<std::uint16_t>(tag.sequence));
  put(message.subspan(kNonce), tag.nonce);
  put(message.subspan(kLongSequence), tag.sequence);
  put(message.subspan(kSlot), tag.slot);
  // A message is valid when all its words, the checksum among them, sum up to ffff.
  put(message.subspan(kCompensation), static_cast<std::uint16_t>(0xffffU - sum(message)));
}

std::optional<EchoTag> parse_reply(Family family, std::span<const std::uint8_t> datagram) {
  return tag_of(family == Family::v4 ? inside_ipv4(datagram) : datagram, types(family).reply);
}

std::optional<Refusal> parse_refusal(Family family, std::span<const std::uint8_t> datagram) {
  const auto error = family == Family::v4 ? inside_ipv4(datagram) : datagram;
  if (error.size() < kEchoHeaderBytes || !is_error(family, error[kType])) return {};
  const auto quoted = error.subspan(kEchoHeaderBytes);
  const auto tag = tag_of(family == Family::v4 ? inside_ipv4(quoted) : inside_ipv6(quoted),
                          types(family).request);
  if (!tag) return {};
  return Refusal{*tag, error[kType], error[1]};
}

}  // namespace hopwise::probes
