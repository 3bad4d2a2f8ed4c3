// IP headers before messages of probes, of whole packets and of those that an error quotes; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/model/address.hpp"

namespace hopwise::probes {

inline constexpr std::uint8_t kIpProtocolIcmp = 1;
inline constexpr std::uint8_t kIpProtocolTcp = 6;
inline constexpr std::uint8_t kIpProtocolUdp = 17;
inline constexpr std::uint8_t kIpProtocolIcmpv6 = 58;

struct IpPacket {
  std::uint8_t protocol = 0;  // IPv6: the next header; probes carry no extension headers
  IpAddress source;
  IpAddress destination;
  std::span<const std::uint8_t> payload{};  // what there is of it
};

/// Nothing where the header is cut or no header, or where the payload is not the beginning of a
/// message (a later fragment). Lengths that the header tells are not believed: errors quote
/// packets whose tail is missing, and old routers change the length in what they quote.
std::optional<IpPacket> parse_ip(Family family, std::span<const std::uint8_t> packet);

}  // namespace hopwise::probes
