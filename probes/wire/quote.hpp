// What an ICMP error says of the packet that it is about; pure.
//
// Routers need to quote no more than the packet's IP header and eight bytes behind it (RFC 792):
// enough for an echo's identifier and sequence, or ports and a TCP sequence, and all that is looked
// at here. Extensions behind the quoted packet (RFC 4884) are tolerated, and not taken for part of
// it. Anybody may send an error: whether the quoted packet is ours, the caller judges.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/model/address.hpp"

namespace hopwise::probes {

struct QuotedEcho {
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
};

struct QuotedPorts {
  std::uint16_t source = 0;
  std::uint16_t destination = 0;
  std::uint32_t sequence = 0;  // TCP; in UDP, length and checksum stand there
};

struct Quote {
  Family family = Family::v4;
  std::uint8_t type = 0, code = 0;  // of the error
  // Of the packet that it is about:
  std::uint8_t protocol = 0;
  IpAddress source;
  IpAddress destination;
  std::span<const std::uint8_t> message{};  // behind the IP header: at least 8 bytes, often no more

  /// Where it is an echo request.
  [[nodiscard]] std::optional<QuotedEcho> echo() const;
  /// Where it is TCP or UDP.
  [[nodiscard]] std::optional<QuotedPorts> ports() const;
  /// A router had to drop it as it had come as far as its TTL or hop limit told.
  [[nodiscard]] bool time_exceeded() const;
  /// What traceroute calls the error: "!H" (host or address unreachable), "!N" (network, no route),
  /// "!P" (protocol), "!p" (port), "!F" (too big), "!X" (forbidden by an administrator), "!S"
  /// (source route, source address policy), "!R" (rejected), else "!" alone. Empty where the time
  /// was exceeded.
  [[nodiscard]] std::string_view note() const;
};

/// `datagram` is what a raw socket delivers: with the IP header for IPv4, without for IPv6. Nothing
/// where it is no error or quotes too little.
std::optional<Quote> parse_quote(Family family, std::span<const std::uint8_t> datagram);

}  // namespace hopwise::probes
