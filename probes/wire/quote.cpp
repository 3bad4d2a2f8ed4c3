#include "probes/wire/quote.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "probes/wire/bytes.hpp"
#include "probes/wire/ip.hpp"

namespace hopwise::probes {
namespace {

constexpr std::size_t kErrorHeaderBytes = 8;
constexpr std::size_t kQuotedBytes = 8;  // behind the quoted IP header, at least

// Where the error tells how long the quoted packet is before extensions begin, and in which unit
// (RFC 4884, 4). 0: it does not tell.
struct QuotedLength {
  std::size_t offset, unit;
};
constexpr QuotedLength quoted_length(Family family) {
  return family == Family::v4 ? QuotedLength{5, 4} : QuotedLength{4, 8};
}

// Destination unreachable, time exceeded, and what the families call differently: ICMP's parameter
// problem; ICMPv6's packet too big and parameter problem.
bool is_error(Family family, std::uint8_t type) {
  return family == Family::v4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
}

// Of those errors, the ones that have room for a length: in an ICMPv6 packet too big and parameter
// problem, and so in no other, other things stand in those bytes.
bool tells_length(Family family, std::uint8_t type) {
  return family == Family::v4 || type == 1 || type == 3;
}

std::span<const std::uint8_t> quoted_packet(Family family, std::span<const std::uint8_t> error) {
  const auto packet = error.subspan(kErrorHeaderBytes);
  const QuotedLength length = quoted_length(family);
  const std::size_t told = error[length.offset] * length.unit;
  if (told == 0 || !tells_length(family, error[0])) return packet;
  return packet.first(std::min(told, packet.size()));
}

using Note = std::pair<std::uint8_t, std::string_view>;

// Codes of destination unreachable: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; RFC 4443 3.1.
constexpr std::array kIpv4Notes{Note{0, "!N"},  Note{1, "!H"}, Note{2, "!P"},  Note{3, "!p"},
                                Note{4, "!F"},  Note{5, "!S"}, Note{6, "!N"},  Note{7, "!H"},
                                Note{8, "!H"},  Note{9, "!X"}, Note{10, "!X"}, Note{11, "!N"},
                                Note{12, "!H"}, Note{13, "!X"}};
constexpr std::array kIpv6Notes{Note{0, "!N"}, Note{1, "!X"}, Note{2, "!S"}, Note{3, "!H"},
                                Note{4, "!p"}, Note{5, "!S"}, Note{6, "!R"}};

std::string_view find(std::span<const Note> notes, std::uint8_t code) {
  const auto* const at = std::ranges::find(notes, code, &Note::first).base();
  return at != notes.data() + notes.size() ? at->second : "!";
}

}  // namespace

std::optional<QuotedEcho> Quote::echo() const {
  const bool v4 = family == Family::v4;
  if (protocol != (v4 ? kIpProtocolIcmp : kIpProtocolIcmpv6) || message[0] != (v4 ? 8 : 128))
    return {};
  return QuotedEcho{get<std::uint16_t>(message.subspan(4)), get<std::uint16_t>(message.subspan(6))};
}

std::optional<QuotedPorts> Quote::ports() const {
  if (protocol != kIpProtocolTcp && protocol != kIpProtocolUdp) return {};
  return QuotedPorts{get<std::uint16_t>(message), get<std::uint16_t>(message.subspan(2)),
                     get<std::uint32_t>(message.subspan(4))};
}

bool Quote::time_exceeded() const {
  return type == (family == Family::v4 ? 11 : 3) && code == 0;
}

std::string_view Quote::note() const {
  if (time_exceeded()) return {};
  if (family == Family::v6 && type == 2) return "!F";
  if (type != (family == Family::v4 ? 3 : 1)) return "!";
  return family == Family::v4 ? find(kIpv4Notes, code) : find(kIpv6Notes, code);
}

std::optional<Quote> parse_quote(Family family, std::span<const std::uint8_t> datagram) {
  auto error = datagram;
  if (family == Family::v4) {
    const auto outer = parse_ip(family, datagram);
    if (!outer || outer->protocol != kIpProtocolIcmp) return {};
    error = outer->payload;
  }
  if (error.size() < kErrorHeaderBytes || !is_error(family, error[0])) return {};
  const auto quoted = parse_ip(family, quoted_packet(family, error));
  if (!quoted || quoted->payload.size() < kQuotedBytes) return {};
  return Quote{family,           error[0],       error[1],
               quoted->protocol, quoted->source, quoted->destination,
               quoted->payload};
}

}  // namespace hopwise::probes
