// What a path carried.
#pragma once

#include <cstdint>

namespace hopwise {

/// Packets and bytes (of layer 3 and up) that a path carried: `forward` out of its nexthop,
/// `reverse` those that came back for its flows, by whatever interface.
struct PathTraffic {
  std::uint64_t forward_packets = 0;
  std::uint64_t forward_bytes = 0;
  std::uint64_t reverse_packets = 0;
  std::uint64_t reverse_bytes = 0;
  std::uint64_t segments = 0;       // of TCP with data, forward
  std::uint64_t retransmitted = 0;  // of these: retransmissions, not all of them losses
  std::uint64_t acks = 0;           // reverse, of TCP connections that use ECN
  std::uint64_t ece_acks = 0;       // of these: the forward path marked congestion (RFC 3168)
  std::uint64_t escapes = 0;        // flows that left the path by themselves: it answered nothing
};

}  // namespace hopwise
