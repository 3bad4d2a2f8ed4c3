// Ethernet frames made to order, byte by byte.
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hopwise::test {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kEthernetBytes = 14;

struct Fragment {
  std::uint16_t offset = 0;  // in units of 8 bytes
  bool more = false;
};

/// A frame for the router's own MAC address; the family is that of the addresses.
struct PacketSpec {
  std::string source = "10.1.0.2";
  std::string destination = "203.0.113.9";
  std::uint8_t protocol = IPPROTO_TCP;
  std::uint16_t source_port = 40000;  // ICMP: the echo identifier
  std::uint16_t destination_port = 443;
  std::uint8_t icmp_type = 8;
  std::uint8_t hops = 64;
  std::size_t payload = 40;
  std::optional<Fragment> fragment;
  std::size_t option_bytes = 0;          // IPv4
  std::vector<std::uint8_t> extensions;  // IPv6, by protocol number, 8 bytes each
  std::array<std::uint8_t, 6> mac{};
  Bytes content;  // after the first 8 bytes of the transport header, in place of `payload`
  std::uint8_t dscp = 0;
};

Bytes build(const PacketSpec& spec);

/// "2001:db8:1::2" -> "2001:db8:ff::9", otherwise as `spec`.
PacketSpec to_v6(PacketSpec spec);
/// What a router or host at `from` says of a packet that it got: `reported` is cut off after
/// `bytes` of layer 3. 0: the family's own "unreachable".
struct ErrorSpec {
  std::string from;
  std::uint8_t type = 0;
  std::size_t bytes = 1000;
};
PacketSpec error_about(const PacketSpec& reported, const ErrorSpec& error);
/// The same flow's packet on its way back.
PacketSpec reversed(PacketSpec spec);

/// One's complement sum over the IPv4 header is all ones.
bool checksum_holds(const Bytes& frame);

}  // namespace hopwise::test
