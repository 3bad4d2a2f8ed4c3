// What is written down while a scenario runs: plain data, filled by traffic, uplinks and the demo,
// read by report and view. Every time is in seconds since the traffic began; upstreams are numbered
// in the scenario's order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise::lab {

inline constexpr double kBinSeconds = 0.1;
inline constexpr std::uint16_t kLongPort = 5001;
inline constexpr std::uint16_t kShortPort = 5002;

/// Tells the flows of a run apart: family, server's port and client's port.
using FlowId = std::uint32_t;

constexpr FlowId flow_id(Family family, std::uint16_t server_port, std::uint16_t client_port) {
  return client_port | (family == Family::v6 ? 1U << 16 : 0U) |
         (server_port == kShortPort ? 1U << 17 : 0U);
}

constexpr bool is_short(FlowId flow) {
  return (flow >> 17) == 1;
}

/// One short flow: connect, upload, wait for the server's one-byte answer.
struct ShortFlow {
  FlowId id = 0;
  double begun = 0;
  std::optional<double> connected;
  std::optional<double> ended;  // empty: still running
  std::string failure;          // empty: completed (once `ended`), else reset, timeout, ...

  [[nodiscard]] bool completed() const { return ended && failure.empty(); }
  [[nodiscard]] bool lost() const { return !failure.empty(); }
};

/// Bytes that the server has acknowledged.
struct Progress {
  double at = 0;
  std::uint64_t acked = 0;
};

struct LongFlow {
  FlowId id = 0;
  std::vector<Progress> progress;
  double longest_stall = 0;  // longest time without one more byte acknowledged
  double stalled_at = 0;     // when it began
  std::string failure;       // empty: alive
  double failed_at = 0;
};

struct TrafficRecord {
  std::vector<ShortFlow> short_flows;  // in the order of `begun`
  std::vector<LongFlow> long_flows;
};

/// What the router sent of one flow to one upstream in one bin of 100 ms.
struct Slice {
  std::uint32_t bin = 0;
  std::uint16_t upstream = 0;
  FlowId flow = 0;
  std::uint32_t packets = 0;
  std::uint64_t bytes = 0;
};

/// The packets of both directions that an upstream's emulated link has dropped since it began.
struct LinkReading {
  double at = 0;
  std::uint16_t upstream = 0;
  std::uint64_t lost = 0;     // by chance
  std::uint64_t dropped = 0;  // by the full queue
};

/// An upstream's weight before and after a decision.
struct ShareChange {
  std::uint16_t upstream = 0;
  double before = 0;
  double after = 0;
};

struct DecisionSeen {
  double at = 0;
  std::uint32_t group = 0;
  std::string reason;
  std::string cause;  // name of the nexthop that caused it; may be empty
  std::string evidence;
  std::vector<ShareChange> shares;
};

/// An event of the scenario as it was done.
struct EventDone {
  double at = 0;
  std::uint16_t upstream = 0;
  std::string what;         // "delay_ms=60", "restore"
  bool worsens = true;      // false: it restores the upstream
  bool black_hole = false;  // nothing passes any more
  bool nearest = true;      // no upstream has a shorter delay from then on
};

/// A check that is made beside the report's own (Prometheus, readiness).
struct Check {
  std::string name;
  bool passed = false;
  std::string detail{};
};

/// Who shares the traffic among the upstreams.
enum class Steering : std::uint8_t {
  hopwise,
  kernel,  // ECMP only, hopwise not started
  greedy,  // a script that moves the route to the upstream of the lowest round-trip time
};
const char* text(Steering steering);

struct RunRecord {
  std::string scenario;
  std::vector<std::string> upstreams;
  Steering steering = Steering::hopwise;
  bool steered = true;  // by hopwise
  double duration = 0;
  TrafficRecord traffic;
  std::vector<Slice> slices;  // by bin
  std::vector<LinkReading> links;
  std::vector<EventDone> events;
  std::vector<DecisionSeen> decisions;
};

}  // namespace hopwise::lab
