// What can be learnt of a nexthop: samples of its path, events of its link and neighbour, and flows
// that flee from it.
// Both enter the engine by engine.observe().
#pragma once

#include <optional>

#include "core/model/anchor.hpp"
#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise {

enum class Outcome : std::uint8_t {
  reply,  // answered in time; `rtt` holds
  lost,   // not answered by its deadline: provisional, a late reply takes it back
  late,   // answered after it was reported lost; `rtt` holds, and one loss is to be taken back
};

enum class TimestampSource : std::uint8_t { kernel, user };

/// One measurement of the path through `nexthop` to `anchor`. A probe that could not be sent, that
/// this host may have lost itself, or that did not leave by its nexthop, yields no sample at all.
struct Sample {
  NexthopId nexthop{};
  Anchor anchor;
  Outcome outcome = Outcome::reply;
  TimePoint sent;   // when the probe was handed to the interface
  TimePoint known;  // when the outcome was known, >= sent
  /// Reply and late only, > 0: what a packet of the traffic would have met, so with `queued`,
  /// without the time that the anchor took to answer where it tells. HTTP: until connected.
  Duration rtt{};
  TimestampSource source = TimestampSource::user;  // the worse of both stamps
  std::uint8_t flow = 0;  // which of the anchor's pinned flows: another way beyond, where ECMP is
  /// Of `rtt`: in this host's own queue of the interface, where it was asked for. While the queue
  /// is short one probe in eight asks: of the others it is zero and not in `rtt`.
  Duration queued{};
  std::optional<Duration> forward{};     // STAMP with both clocks synchronised: one way there,
  std::optional<Duration> backward{};    // and back
  std::optional<Duration> first_byte{};  // HTTP: from connected to the first byte of the answer
};

/// What the kernel says of a nexthop, and the routing daemon's BFD where it has a session to it. A
/// nexthop carries traffic only while the first two are true and the last is not.
struct NexthopEvent {
  NexthopId nexthop{};
  TimePoint at;
  bool link_up = false;             // interface up with carrier
  bool neighbour_resolved = false;  // the gateway's link-layer address is known (NUD_VALID)
  bool bfd_down = false;            // its BFD session has failed (RFC 5880); none is no failure
};

/// A flow has left the nexthop by itself, in the data path: it got no answer. No proof of a fault
/// (the flow's peer may be gone), but a reason to look at once.
struct EscapeEvent {
  NexthopId nexthop{};
  TimePoint at;
};

}  // namespace hopwise
