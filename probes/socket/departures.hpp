// Makes one departure of the several stamps that the kernel takes of one datagram.
//
// Each interface that a datagram is given to stamps it before its queue: a VLAN and then the device
// below it, or the staging device and then the one to which it was sent on. The last one's driver
// stamps it when it takes it, and that is when it left. A datagram that no driver ever took,
// because a queue dropped it, is forgotten when its place is needed. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/time.hpp"
#include "probes/socket/stamps.hpp"

namespace hopwise::probes {

/// An interface that a datagram was given to, and the link-layer address it was sent to there.
struct Hop {
  std::uint32_t ifindex = 0;
  std::optional<EthernetAddress> to;  // where the interface is Ethernet

  bool operator==(const Hop&) const = default;
};

class Departures {
 public:
  static constexpr std::size_t kHops = 4;  // of one datagram, the first ones

  /// `room`: datagrams in queues at a time, a power of two.
  explicit Departures(std::size_t room) : pending_(room) {}

  struct Stamp {
    StampPoint point = StampPoint::driver;
    std::uint32_t key = 0;                // the kernel's number of the datagram
    std::optional<TimePoint> at;          // where it can be told
    std::uint32_t ifindex = 0;            // 0: not told
    std::span<const std::uint8_t> frame;  // the whole of it; empty: it was cut short
    Looped looped;                        // read from it
  };
  struct Departure {
    std::span<const std::uint8_t> message;
    std::optional<TimePoint> at;
    std::optional<Duration> queued;  // from the first queue on
    std::span<const Hop> hops;       // holds until the next call
  };
  /// The departure, when `stamp` completes it.
  std::optional<Departure> note(const Stamp& stamp);

 private:
  struct Pending {
    std::uint32_t key = 0;
    std::uint16_t message_bytes = 0;
    std::uint8_t hops = 0;  // 0: the place is free
    std::optional<TimePoint> queued_at;
    std::array<Hop, kHops> by;
  };
  static void add_hop(Pending& pending, const Stamp& stamp);

  std::vector<Pending> pending_;  // by the low bits of the key
};

}  // namespace hopwise::probes
