// What the daemon tells of itself, gathered from its modules: a Status, or the answer to "where
// does this flow go, and why". Only reads.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "core/daemon/bandwidth_watch.hpp"
#include "core/daemon/destinations.hpp"
#include "core/daemon/log.hpp"
#include "core/daemon/permission.hpp"
#include "core/daemon/readings.hpp"
#include "core/daemon/steering.hpp"
#include "core/model/status.hpp"

namespace hopwise {

/// What has happened since the start, as far as it is kept.
struct Journal {
  TimePoint started;
  std::deque<Decision> recent;  // newest last, at most kRecent
  std::map<Reason, std::uint64_t> by_reason;
  std::uint64_t reloads = 0;
  std::uint64_t reload_failures = 0;

  static constexpr std::size_t kRecent = 200;

  void record(const Decision& decision);
};

struct SnapshotParts {
  const dataplane::Dataplane& dataplane;
  const engine::Engine& engine;
  const Steering& steering;
  const Destinations& destinations;
  const Permission& permission;
  const Journal& journal;
  const Readings& readings;
  const BandwidthWatch& bandwidths;
  const std::vector<ProbeStatus>& probes;  // ordered by nexthop
  const ProberTotals& probing;
  bool steer;  // as configured
};

Status take_snapshot(const SnapshotParts& parts, TimePoint now);

Result<Explanation> explain_flow(const SnapshotParts& parts, const FlowTuple& flow, TimePoint now);

/// One line: group, reason, cause, every path's weight before and after, the evidence.
void log_decision(Log& log, const Decision& decision,
                  const std::map<NexthopId, NexthopRecord>& nexthops);

}  // namespace hopwise
