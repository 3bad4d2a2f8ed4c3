// What the daemon tells of itself, gathered from its modules: a Status, or the answer to "where
// does this flow go, and why". Only reads.
#pragma once

#include <map>
#include <vector>

#include "core/bgp/bmp_receiver.hpp"
#include "core/bgp/listener.hpp"
#include "core/daemon/bandwidth_watch.hpp"
#include "core/daemon/candidates.hpp"
#include "core/daemon/destinations.hpp"
#include "core/daemon/history.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/permission.hpp"
#include "core/daemon/readings.hpp"
#include "core/daemon/steering.hpp"
#include "core/model/status.hpp"

namespace hopwise {

struct SnapshotParts {
  const dataplane::Dataplane& dataplane;
  const engine::Engine& engine;
  const Steering& steering;
  const Destinations& destinations;
  const Permission& permission;
  const History& history;
  const Readings& readings;
  const BandwidthWatch& bandwidths;
  const std::vector<ProbeStatus>& probes;  // ordered by nexthop
  const ProberTotals& probing;
  const config::Config& config;
  const Candidates& candidates;
  const bgp::Listener* bgp;     // null: none
  const bgp::BmpReceiver* bmp;  // null: none
};

/// As configured, or made of its number for one that has gone.
std::string name_of(NexthopId id, const std::map<NexthopId, NexthopRecord>& nexthops);

/// What became of decisions, and which nexthops changed their state.
void follow(engine::Engine& engine, const std::map<NexthopId, NexthopRecord>& nexthops,
            History& history);

Status take_snapshot(const SnapshotParts& parts, TimePoint now);

Result<Explanation> explain_flow(const SnapshotParts& parts, const FlowTuple& flow, TimePoint now);

/// One line: group, reason, cause, every path's weight before and after, the evidence.
void log_decision(Log& log, const Decision& decision,
                  const std::map<NexthopId, NexthopRecord>& nexthops);

}  // namespace hopwise
