// What the kernel says beside a datagram: when, by which interface, with which TTL; and what it
// loops back on the error queue of a datagram that left: the whole packet with its link-layer
// header. Pure.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>

#include "core/model/path.hpp"
#include "probes/socket/clock.hpp"

namespace hopwise::probes {

enum class StampPoint : std::uint8_t {
  queue,   // given to an interface, before its queue (SCM_TSTAMP_SCHED)
  driver,  // taken from the queue and handed to the driver (SCM_TSTAMP_SND)
};

/// The ancillary data of one message, received or looped back.
struct Ancillary {
  std::optional<WallTime> stamp;
  std::optional<std::uint8_t> ttl;
  std::uint32_t ifindex = 0;        // of egress, when looped back; 0: not told
  std::optional<StampPoint> point;  // looped back only
  std::uint32_t key = 0;            // looped back only: the number of the datagram
};
Ancillary read_ancillary(const msghdr& message);

/// A packet as an interface got it.
struct Looped {
  std::span<const std::uint8_t> message;  // behind the IP (and UDP) header; empty: not found
  std::optional<EthernetAddress> to;
};
/// `frame` begins with whatever link-layer header the interface has: Ethernet, or none. `protocol`
/// is of IP; for UDP its header is taken off too. What comes behind the IP packet (an Ethernet
/// frame may be padded) is no part of the message. An interface that wraps packets (a tunnel) hands
/// them on with headers that are not ours: then the message is not found.
Looped read_looped(Family family, std::uint8_t protocol, std::span<const std::uint8_t> frame);

}  // namespace hopwise::probes
