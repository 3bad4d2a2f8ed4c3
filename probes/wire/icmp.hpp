// The wire format of an echo probe, ICMP and ICMPv6 alike; pure.
//
// The payload begins with a tag: whose probe this is. ICMP's own 16-bit sequence would wrap within
// seconds at a high rate, and its identifier is easily met by chance or malice; the tag's nonce is
// not. A reply is ours only if all of the tag agrees.
//
// Routers that balance by the first bytes of ICMP see the checksum as part of the flow. It is held
// constant by a word of the payload that makes up for the changing sequence (Paris traceroute,
// Augustin et al., IMC 2006), so that all probes of a pinned flow take one way. Another checksum is
// another flow, of messages that are alike in all else that routers look at, size too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/model/address.hpp"

namespace hopwise::probes {

struct EchoTag {
  std::uint16_t identifier = 0;  // of the prober: what the socket filters by
  std::uint32_t sequence = 0;    // its low half is ICMP's own sequence too
  std::uint32_t slot = 0;        // of the stream
  std::uint64_t nonce = 0;       // of the stream, random

  bool operator==(const EchoTag&) const = default;
};

/// An ICMP error about a probe of ours, as far as the sender of the error quoted it.
struct Refusal {
  EchoTag tag;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
};

inline constexpr std::size_t kEchoHeaderBytes = 8;
inline constexpr std::size_t kMinPayloadBytes = 20;
inline constexpr std::size_t kMaxPayloadBytes = 8192;
/// What every echo request of the first pinned flow says as its ICMP checksum. (For ICMPv6 the
/// kernel adds the pseudo-header's part, which is constant for an anchor too.)
inline constexpr std::uint16_t kEchoChecksum = 0x6877;

/// That of pinned flow `flow`. Those of the first thousand flows differ, in many bits for the sake
/// of routers whose hash is weak. Never 0, which some take for "none".
constexpr std::uint16_t echo_checksum(std::uint32_t flow) {
  const auto checksum = static_cast<std::uint16_t>(kEchoChecksum + flow * 0x9e37U);
  return checksum != 0 ? checksum : std::uint16_t{0xffff};
}

/// Fills `message` with an echo request; its size is the header's 8 bytes and the payload's. Its
/// checksum is valid and is `checksum`, whatever the tag.
void build_request(Family family, const EchoTag& tag, std::span<std::uint8_t> message,
                   std::uint16_t checksum = kEchoChecksum);

/// An echo request of either family, without the IP header: as build_request() makes it.
std::optional<EchoTag> parse_request(std::span<const std::uint8_t> message);
/// `datagram` is what a raw socket delivers: with the IP header for IPv4, without for IPv6.
std::optional<EchoTag> parse_reply(Family family, std::span<const std::uint8_t> datagram);
std::optional<Refusal> parse_refusal(Family family, std::span<const std::uint8_t> datagram);

}  // namespace hopwise::probes
