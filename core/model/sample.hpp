// What can be learnt of a nexthop: samples of its path, events of its link and neighbour, and flows
// that flee from it.
// Both enter the engine by engine.observe().
#pragma once

#include "core/model/address.hpp"
#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise {

enum class Outcome : std::uint8_t {
  reply,  // answered in time; `rtt` holds
  lost,   // not answered by its deadline: provisional, a late reply takes it back
  late,   // answered after it was reported lost; `rtt` holds, and one loss is to be taken back
};

enum class TimestampSource : std::uint8_t { kernel, user };

/// One measurement of the path through `nexthop` to `anchor`. A probe that could not be sent, or
/// that this host may have lost itself, yields no sample at all.
struct Sample {
  NexthopId nexthop{};
  IpAddress anchor;
  Outcome outcome = Outcome::reply;
  TimePoint sent;   // when the probe left
  TimePoint known;  // when the outcome was known, >= sent
  Duration rtt{};   // reply and late only, > 0
  TimestampSource source = TimestampSource::user;
};

/// What the kernel says of a nexthop. A nexthop carries traffic only while both are true.
struct NexthopEvent {
  NexthopId nexthop{};
  TimePoint at;
  bool link_up = false;             // interface up with carrier
  bool neighbour_resolved = false;  // the gateway's link-layer address is known (NUD_VALID)
};

/// A flow has left the nexthop by itself, in the data path: it got no answer. No proof of a fault
/// (the flow's peer may be gone), but a reason to look at once.
struct EscapeEvent {
  NexthopId nexthop{};
  TimePoint at;
};

}  // namespace hopwise
