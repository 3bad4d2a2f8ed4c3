#include "probes/kinds/tcp.hpp"

#include <algorithm>

#include "probes/wire/bytes.hpp"
#include "probes/wire/ip.hpp"

namespace hopwise::probes {
namespace {

template <std::size_t Bytes>
std::size_t copy(const std::array<std::uint8_t, Bytes>& message, std::span<std::uint8_t> room) {
  std::copy(message.begin(), message.end(), room.begin());
  return Bytes;
}

}  // namespace

void TcpKind::use_ports(Family family, std::span<const std::uint16_t> ports) {
  ports_[family == Family::v4 ? 0 : 1].assign(ports.begin(), ports.end());
}

const std::vector<std::uint16_t>& TcpKind::ports(Family family) const {
  return ports_[family == Family::v4 ? 0 : 1];
}

std::size_t TcpKind::ask(const Question& question, std::span<std::uint8_t> room) const {
  const Aim& aim = question.aim;
  const TcpEnds ends{aim.from.value_or(IpAddress{aim.family()}), aim.anchor().address,
                     ports(aim.family())[question.flow], aim.anchor().port};
  return copy(build_syn(ends, secret_.isn({aim.slot, question.sequence})), room);
}

std::size_t TcpKind::end(const Aim& aim, std::uint32_t sequence,
                         std::span<std::uint8_t> room) const {
  const TcpEnds ends{aim.from.value_or(IpAddress{aim.family()}), aim.anchor().address,
                     ports(aim.family())[aim.stream.flow(sequence)], aim.anchor().port};
  return copy(build_rst(ends, secret_.isn({aim.slot, sequence}) + 1), room);
}

// The aim that sent a SYN of that number to `port`, if any did.
std::optional<Named> TcpKind::named(std::uint32_t isn, std::uint16_t port) const {
  const SynTag tag = secret_.tag(isn);
  Aim* aim = aims_.at(tag.slot);
  if (aim == nullptr || aim->anchor().kind != ProbeKind::tcp || aim->anchor().port != port)
    return {};
  return Named{aim, whole_sequence(tag.sequence, aim->stream.sequence())};
}

// Our RSTs leave too, and their numbers may be those of others' SYNs.
std::optional<Named> TcpKind::left(std::span<const std::uint8_t> message, std::uint8_t) const {
  const auto syn = parse_syn(message);
  return syn ? named(syn->isn, syn->destination_port) : std::nullopt;
}

Heard TcpKind::heard(const DatagramSocket::Arrived& arrived, std::uint8_t) const {
  const auto answer = parse_answer(arrived.from.family, arrived.bytes);
  if (!answer) return {};
  const auto probe = named(answer->isn(), answer->source_port);
  if (!probe || probe->aim->anchor().address != arrived.from) return {};
  Aim& aim = *probe->aim;
  const auto& ours = ports(aim.family());
  if (ours[aim.stream.flow(probe->sequence) % ours.size()] != answer->destination_port)
    return {.says = Heard::Says::forged, .aim = &aim};
  return {.says = Heard::Says::reply,
          .aim = &aim,
          .sequence = probe->sequence,
          .half_open = answer->kind == TcpAnswer::Kind::open};
}

std::optional<Named> TcpKind::quoted(const Quote& quote) const {
  const auto ends = quote.ports();
  if (!ends || quote.protocol != kIpProtocolTcp) return {};
  const auto probe = named(ends->sequence, ends->destination);
  if (!probe || probe->aim->anchor().address != quote.destination) return {};
  return probe;
}

}  // namespace hopwise::probes
