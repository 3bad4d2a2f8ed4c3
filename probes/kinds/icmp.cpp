#include "probes/kinds/icmp.hpp"

#include <algorithm>

#include "probes/wire/icmp.hpp"

namespace hopwise::probes {
namespace {

bool is_ours(const Aim* aim, const EchoTag& tag) {
  return aim != nullptr && aim->anchor().kind == ProbeKind::icmp && aim->nonce == tag.nonce;
}

}  // namespace

void IcmpKind::set_payload(std::uint32_t bytes) {
  payload_ = std::clamp<std::size_t>(bytes, kMinPayloadBytes, kMaxPayloadBytes);
}

std::size_t IcmpKind::most_bytes() const {
  return kEchoHeaderBytes + kMaxPayloadBytes;
}

std::size_t IcmpKind::ask(const Question& question, std::span<std::uint8_t> room) const {
  const Aim& aim = question.aim;
  const std::size_t bytes = kEchoHeaderBytes + payload_;
  build_request(aim.family(), {identifier_, question.sequence, aim.slot, aim.nonce},
                room.first(bytes), echo_checksum(question.flow));
  return bytes;
}

std::optional<Named> IcmpKind::left(std::span<const std::uint8_t> message, std::uint8_t) const {
  const auto tag = parse_request(message);
  if (!tag) return {};
  Aim* aim = aims_.at(tag->slot);
  if (!is_ours(aim, *tag)) return {};
  return Named{aim, tag->sequence};
}

Heard IcmpKind::heard(const DatagramSocket::Arrived& arrived, std::uint8_t) const {
  const auto tag = parse_reply(arrived.from.family, arrived.bytes);
  if (!tag) return refusal(arrived);
  Aim* aim = aims_.at(tag->slot);
  if (tag->identifier != identifier_ || aim == nullptr) return {};
  const bool answers = is_ours(aim, *tag) && arrived.from == aim->anchor().address;
  return {.says = answers ? Heard::Says::reply : Heard::Says::forged,
          .aim = aim,
          .sequence = tag->sequence};
}

Heard IcmpKind::refusal(const DatagramSocket::Arrived& arrived) const {
  const auto refused = parse_refusal(arrived.from.family, arrived.bytes);
  if (!refused || refused->tag.identifier != identifier_) return {};
  Aim* aim = aims_.at(refused->tag.slot);
  if (!is_ours(aim, refused->tag)) return {};
  return {.says = Heard::Says::refusal,
          .aim = aim,
          .sequence = refused->tag.sequence,
          .type = refused->type,
          .code = refused->code};
}

// Errors about echoes come with their replies.
std::optional<Named> IcmpKind::quoted(const Quote&) const {
  return {};
}

}  // namespace hopwise::probes
