#include "probes/wire/ip.hpp"

#include "probes/wire/bytes.hpp"

namespace hopwise::probes {
namespace {

// RFC 791, RFC 8200.
constexpr std::size_t kLeastIpv4Bytes = 20;
constexpr std::size_t kIpv6Bytes = 40;
constexpr std::uint16_t kFragmentOffset = 0x1fff;

std::optional<IpPacket> parse_ipv4(std::span<const std::uint8_t> packet) {
  if (packet.size() < kLeastIpv4Bytes || packet[0] >> 4U != 4) return {};
  const std::size_t header = (packet[0] & 0xfU) * std::size_t{4};
  if (header < kLeastIpv4Bytes || header > packet.size()) return {};
  if ((get<std::uint16_t>(packet.subspan(6)) & kFragmentOffset) != 0) return {};
  return IpPacket{packet[9], IpAddress::from_bytes(Family::v4, &packet[12]),
                  IpAddress::from_bytes(Family::v4, &packet[16]), packet.subspan(header)};
}

std::optional<IpPacket> parse_ipv6(std::span<const std::uint8_t> packet) {
  if (packet.size() < kIpv6Bytes || packet[0] >> 4U != 6) return {};
  return IpPacket{packet[6], IpAddress::from_bytes(Family::v6, &packet[8]),
                  IpAddress::from_bytes(Family::v6, &packet[24]), packet.subspan(kIpv6Bytes)};
}

}  // namespace

std::optional<IpPacket> parse_ip(Family family, std::span<const std::uint8_t> packet) {
  return family == Family::v4 ? parse_ipv4(packet) : parse_ipv6(packet);
}

}  // namespace hopwise::probes
