// A trace: which hops packets meet through one nexthop, with round-trip time and loss of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise {

/// What answered at one distance. Silence proves nothing: routers answer at a limited rate.
struct TraceHop {
  struct Answer {
    IpAddress from;
    std::uint32_t count = 0;
    Duration least{}, mean{}, most{};   // round-trip times
    std::optional<std::string> note{};  // what an ICMP error other than time exceeded says
  };
  std::uint8_t distance = 0;  // TTL or hop limit of the probes, from 1
  std::uint32_t sent = 0;
  std::vector<Answer> answers{};  // more than one where the way beyond is not one way
  [[nodiscard]] std::uint32_t answered() const {
    std::uint32_t all = 0;
    for (const Answer& answer : answers) all += answer.count;
    return all;
  }
};

struct Trace {
  std::uint64_t id = 0;  // of this daemon, from 1
  NexthopId nexthop{};
  std::string nexthop_name;
  IpAddress destination;
  std::string because;  // "operator", or the decision's reason: "path_down"
  TimePoint started;
  bool ended = false;
  bool reached = false;          // the destination itself answered
  std::vector<TraceHop> hops{};  // to the destination, or to the last that answered and one more
  std::optional<std::string> error{};
  std::string verdict{};  // of one that has ended, in words: where the way breaks, or what changed
};

/// Loss on the way as far as that hop (an index), 0..1: the least of it and all beyond that
/// answered. A hop that answers less than those beyond it answers at a limited rate; it has lost
/// nothing. 1 where neither it nor any beyond has answered.
double loss_at(const Trace& trace, std::size_t hop);

/// The farthest hop that answered; nullptr where none did.
const TraceHop* farthest(const Trace& trace);

}  // namespace hopwise
