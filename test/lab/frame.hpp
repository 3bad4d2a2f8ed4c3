// What the relay reads out of an Ethernet frame: which service it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "test/lab/link.hpp"

namespace hopwise::lab {

/// Empty for what is not IP. `direction` says at which end of the link the service is.
inline std::optional<Service> service_of(const std::uint8_t* frame, std::size_t size,
                                         Direction direction) {
  constexpr std::size_t kEthernet = 14, kIpv4 = 20, kIpv6 = 40;
  constexpr std::uint8_t kTcp = 6, kUdp = 17;
  if (size < kEthernet + kIpv4) return {};
  const auto u16 = [&](std::size_t at) {
    return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
  };
  std::uint8_t protocol = 0;
  std::size_t transport = 0;
  bool first = true;  // of a datagram's fragments: only it has the ports
  if (u16(12) == 0x0800) {
    protocol = frame[kEthernet + 9];
    transport = kEthernet + (frame[kEthernet] & 0xfu) * 4u;
    first = (u16(kEthernet + 6) & 0x1fff) == 0;
  } else if (u16(12) == 0x86dd && size >= kEthernet + kIpv6) {
    protocol = frame[kEthernet + 6];
    transport = kEthernet + kIpv6;
  } else {
    return {};
  }
  const bool ports = (protocol == kTcp || protocol == kUdp) && first && size >= transport + 4;
  const std::size_t at = transport + (direction == Direction::forward ? 2 : 0);
  return Service{protocol, ports ? u16(at) : std::uint16_t{0}};
}

}  // namespace hopwise::lab
