#include "probes/wire/icmp.hpp"

#include <algorithm>

#include "probes/wire/bytes.hpp"
#include "probes/wire/ip.hpp"
#include "probes/wire/quote.hpp"

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

}  // namespace

void build_request(Family family, const EchoTag& tag, std::span<std::uint8_t> message,
                   std::uint16_t checksum) {
  std::fill(message.begin(), message.end(), std::uint8_t{0});
  message[kType] = types(family).request;
  put(message.subspan(kChecksum), checksum);
  put(message.subspan(kIdentifier), tag.identifier);
  put(message.subspan(kSequence), static_cast<std::uint16_t>(tag.sequence));
  put(message.subspan(kNonce), tag.nonce);
  put(message.subspan(kLongSequence), tag.sequence);
  put(message.subspan(kSlot), tag.slot);
  // A message is valid when all its words, the checksum among them, sum up to ffff.
  put(message.subspan(kCompensation), static_cast<std::uint16_t>(0xffffU - sum(message)));
}

std::optional<EchoTag> parse_request(std::span<const std::uint8_t> message) {
  const auto tag = tag_of(message, types(Family::v4).request);
  return tag ? tag : tag_of(message, types(Family::v6).request);
}

std::optional<EchoTag> parse_reply(Family family, std::span<const std::uint8_t> datagram) {
  if (family == Family::v6) return tag_of(datagram, types(family).reply);
  const auto packet = parse_ip(family, datagram);
  if (!packet || packet->protocol != kIpProtocolIcmp) return {};
  return tag_of(packet->payload, types(family).reply);
}

std::optional<Refusal> parse_refusal(Family family, std::span<const std::uint8_t> datagram) {
  const auto quote = parse_quote(family, datagram);
  if (!quote || !quote->echo()) return {};
  const auto tag = tag_of(quote->message, types(family).request);
  if (!tag) return {};
  return Refusal{*tag, quote->type, quote->code};
}

}  // namespace hopwise::probes
