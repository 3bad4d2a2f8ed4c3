// A flow, as an operator names it and as the data path finds it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/model/address.hpp"
#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise {

/// A transport 5-tuple in the direction client -> destination. Ports are 0 for ICMP (whose echo
/// identifier stands in `source_port`) and for fragments.
struct FlowTuple {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 6;  // IANA protocol number
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t dscp = 0;  // of its packets (RFC 2474), where that is asked about
};

/// A flow's entry in the data path.
struct FlowRecord {
  FlowTuple tuple;
  std::optional<GroupId> group;      // empty: the path it was on is gone
  std::optional<NexthopId> nexthop;  // empty: of the control group, routed by the kernel
  bool control = false;
  bool answered = false;  // something came back
  Duration age{};
  Duration idle{};                // since its last packet forward
  std::optional<Duration> moved;  // ago: when it last left a nexthop
  std::uint64_t packets = 0;      // forward
  std::uint64_t bytes = 0;
  std::uint64_t reverse_packets = 0;
  std::uint64_t reverse_bytes = 0;
  std::optional<Duration> rtt;  // smoothed, passive
  Duration rtt_deviation{};
  std::uint32_t segments = 0;       // TCP with data, forward
  std::uint32_t retransmitted = 0;  // of these
  std::uint32_t escapes = 0;        // times it left a nexthop by itself
};

/// How much a flow has carried since it began, both ways. `id` is a hash of the flow that nobody
/// outside can choose.
struct FlowCount {
  IpAddress destination;
  std::uint64_t id = 0;
  std::uint64_t bytes = 0;
  TimePoint started;
  TimePoint last_seen;  // forward
};

/// What the data path does with a packet of a flow, and by what.
struct FlowPlacement {
  std::optional<Prefix> route;     // longest match; empty: no route is known to the data path
  std::optional<GroupId> group;    // empty: that route is left to the kernel
  std::uint8_t traffic_class = 0;  // 0: no rule puts it into one
  std::uint32_t class_rule = 0;    // that does, counted from 1 in the order of the rules; 0: none
  bool dry_run = false;            // the group is only decided about: the kernel routes
  std::uint32_t bucket = 0;        // index in the group's table
  std::optional<NexthopId> bucket_nexthop;  // what the bucket holds: where a new flow would go
  std::optional<NexthopId> flow_nexthop;    // what the flow's own entry sticks to, if it has one
  std::optional<NexthopId> nexthop;         // where the next packet goes; empty: to the kernel
  std::uint64_t flow_packets = 0;           // of the flow's entry
  std::uint64_t flow_bytes = 0;
  std::optional<FlowRecord> record;  // the flow's entry, if it has one
};

}  // namespace hopwise
