// What the engine hears of the traffic, once a second: what each path and each group's control
// flows carried since, with their passive round-trip times, what the interfaces towards the
// nexthops carried, and what is known of the nexthops' bandwidth.
//
// The data plane's counters only grow, so a reading is a difference. One whose counters run
// backwards, or that was not there a second ago, begins anew and is told from the next second on.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "core/daemon/bandwidth_watch.hpp"
#include "core/daemon/steering.hpp"
#include "core/dataplane/dataplane.hpp"
#include "core/engine/engine.hpp"
#include "core/model/reading.hpp"

namespace hopwise {

/// The counters and passive times of one moment.
struct TrafficCount {
  TimePoint at;
  std::vector<const Group*> groups{};
  std::map<PathId, PathTraffic> paths{};
  std::map<GroupId, PathTraffic> control{};
};

class EngineReadings {
 public:
  struct Readings {
    std::vector<PathReading> paths;
    std::vector<ControlReading> control;
  };
  /// Of the time since the last call; nothing the first time, nor less than a tenth of a second
  /// later. Paths of no group are forgotten: ids are given out again.
  Readings since_last(TrafficCount count, const dataplane::Dataplane::PassiveReadings& passive);

 private:
  std::optional<TrafficCount> last_;
};

/// All that is known of a nexthop as a carrier: the least of what is exact, the most of what is a
/// lower bound, and the operator's commit and price from `word`.
engine::NexthopTerms nexthop_terms(std::span<const Bandwidth> known,
                                   const engine::NexthopTerms& word);

/// Interfaces by which they reach more than one neighbour: their load is no single nexthop's. The
/// IPv4 and the IPv6 gateway of one router are one neighbour, by its link-layer address: what the
/// one family carries, the other's line bears too.
std::set<std::uint32_t> shared_interfaces(const std::map<NexthopId, NexthopRecord>& nexthops);

struct EngineSources {
  const BandwidthWatch& bandwidths;
  const Steering& steering;
};
/// Told every second, with the data plane's counters and what take_passive() gave.
void tell_engine(engine::Engine& engine, EngineReadings& readings, const EngineSources& sources,
                 DataplaneCounters counters, const dataplane::Dataplane::PassiveReadings& passive,
                 TimePoint now);

}  // namespace hopwise
