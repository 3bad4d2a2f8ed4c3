#include "probes/kinds/stamp.hpp"

#include <algorithm>

#include "probes/wire/bytes.hpp"
#include "probes/wire/ip.hpp"
#include "probes/wire/siphash.hpp"
#include "probes/wire/stamp.hpp"

namespace hopwise::probes {
namespace {

constexpr std::size_t kUdpHeaderBytes = 8;
constexpr std::uint64_t kVeiled = 0xffff;

// Where a message has its number, T1 and session identifier, of both modes: what has to be known
// before the key is. RFC 8762, figures 2, 3, 5 and 6; RFC 8972, 3.
struct Places {
  std::size_t number, sent, ssid;
};
constexpr Places kOpenRequest{0, 4, 14}, kAuthenticatedRequest{0, 16, 26};
constexpr Places kOpenReply{24, 28, 14}, kAuthenticatedReply{48, 64, 26};

bool is_aim_of(const Aim* aim, const IpAddress& address, std::uint16_t port) {
  return aim != nullptr && aim->anchor() == Anchor(address, ProbeKind::stamp, port);
}

std::uint16_t ssid_of(const Aim& aim) {
  return static_cast<std::uint16_t>(aim.slot + 1);
}

const HmacKey* key_of(const Aim& aim) {
  return aim.key ? &*aim.key : nullptr;
}

}  // namespace

void StampKind::use_ports(Family family, std::span<const std::uint16_t> ports) {
  ports_[family == Family::v4 ? 0 : 1].assign(ports.begin(), ports.end());
}

void StampKind::set_clock_error(const ErrorEstimate& error) {
  error_ = ErrorEstimate::of(std::max(kLeastError, error.error()));
  error_.synchronised = error.synchronised;
}

std::size_t StampKind::most_bytes() const {
  return stamp::kAuthenticatedBytes;
}

std::size_t StampKind::ask(const Question& question, std::span<std::uint8_t> room) const {
  const Aim& aim = question.aim;
  const std::uint64_t now = to_ntp(question.wall) & ~kVeiled;
  const stamp::Request request{question.sequence / flows_,
                               now | (aim.slot ^ veil(question.sequence, now)), error_,
                               ssid_of(aim)};
  const std::size_t bytes = stamp::base_bytes(key_of(aim));
  stamp::build_request(request, key_of(aim), room.first(bytes));
  return bytes;
}

std::uint16_t StampKind::veil(std::uint32_t sequence, std::uint64_t sent) const {
  return static_cast<std::uint16_t>(
      siphash(secret_, (sent >> 16U) ^ std::uint64_t{sequence} << 32U));
}

std::optional<Named> StampKind::named(const Said& said, std::uint8_t flow) const {
  const std::uint32_t sequence = said.number * flows_ + flow;
  const std::uint64_t sent = said.sent & ~kVeiled;
  Aim* aim = aims_.at(static_cast<std::uint16_t>(said.sent & kVeiled) ^ veil(sequence, sent));
  if (aim == nullptr || aim->anchor().kind != ProbeKind::stamp) return {};
  return Named{aim, sequence};
}

std::optional<Named> StampKind::left(std::span<const std::uint8_t> message,
                                     std::uint8_t flow) const {
  for (const auto& [places, key] :
       {std::pair{kOpenRequest, false}, {kAuthenticatedRequest, true}}) {
    if (message.size() < places.ssid + 2) continue;
    const auto probe = named({get<std::uint32_t>(message.subspan(places.number)),
                              get<std::uint64_t>(message.subspan(places.sent))},
                             flow);
    if (probe && probe->aim->key.has_value() == key &&
        get<std::uint16_t>(message.subspan(places.ssid)) == ssid_of(*probe->aim))
      return probe;
  }
  return {};
}

// The probe that a reply repeats, of whichever mode.
std::optional<Named> StampKind::answered(const DatagramSocket::Arrived& arrived,
                                         std::uint8_t flow) const {
  for (const auto& [places, key] : {std::pair{kOpenReply, false}, {kAuthenticatedReply, true}}) {
    if (arrived.bytes.size() < places.sent + 8) continue;
    const auto probe = named({get<std::uint32_t>(arrived.bytes.subspan(places.number)),
                              get<std::uint64_t>(arrived.bytes.subspan(places.sent))},
                             flow);
    if (probe && probe->aim->key.has_value() == key &&
        is_aim_of(probe->aim, arrived.from, arrived.from_port))
      return probe;
  }
  return {};
}

Heard StampKind::heard(const DatagramSocket::Arrived& arrived, std::uint8_t flow) const {
  const auto probe = answered(arrived, flow);
  if (!probe) return stranger(arrived);
  const auto reply = stamp::parse_reply(arrived.bytes, key_of(*probe->aim));
  if (!reply || (reply->ssid && *reply->ssid != ssid_of(*probe->aim)))
    return {.says = Heard::Says::forged, .aim = probe->aim};
  return {
      .says = Heard::Says::reply,
      .aim = probe->aim,
      .sequence = probe->sequence,
      .turnaround = reply->sent - reply->received,
      .reflected = Reflected{reply->request.sequence, reply->sequence, reply->received, reply->sent,
                             reply->error.synchronised && error_.synchronised &&
                                 reply->error.format == ErrorEstimate::Format::ntp}};
}

// No reply to a probe that was sent; whom it names by its session identifier alone.
Heard StampKind::stranger(const DatagramSocket::Arrived& arrived) const {
  for (const Places& places : {kOpenReply, kAuthenticatedReply}) {
    if (arrived.bytes.size() < places.ssid + 2) continue;
    const std::uint32_t ssid = get<std::uint16_t>(arrived.bytes.subspan(places.ssid));
    Aim* aim = ssid != 0 ? aims_.at(ssid - 1) : nullptr;
    if (is_aim_of(aim, arrived.from, arrived.from_port))
      return {.says = Heard::Says::forged, .aim = aim};
  }
  return {};
}

std::optional<Named> StampKind::quoted(const Quote& quote) const {
  const auto ends = quote.ports();
  if (!ends || quote.protocol != kIpProtocolUdp) return {};
  const auto& ours = ports_[quote.family == Family::v4 ? 0 : 1];
  const auto flow = std::find(ours.begin(), ours.end(), ends->source) - ours.begin();
  if (flow == static_cast<std::ptrdiff_t>(ours.size())) return {};
  const auto probe = left(quote.message.subspan(kUdpHeaderBytes), static_cast<std::uint8_t>(flow));
  if (!probe || !is_aim_of(probe->aim, quote.destination, ends->destination)) return {};
  return probe;
}

}  // namespace hopwise::probes
