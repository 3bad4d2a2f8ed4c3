// A scenario: the world of a simulation, what the routers are told of it, and what happens in it.
// Read from JSON; test/sim/README.md describes every key.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/engine.hpp"
#include "core/model/result.hpp"
#include "core/simulation/plant.hpp"

namespace hopwise::simulation {

/// What changes about a link; the rest stays.
struct LinkChange {
  std::optional<double> capacity_bit_s{}, base_ms{}, drift_ms_s{}, buffer_ms{}, jitter_ms{},
      spike{}, loss{}, user_extra_ms{}, probe_loss{};
  std::optional<Bursts> bursts{};
  std::optional<Cross> cross{};
  std::optional<Outage> outage{};

  [[nodiscard]] LinkSpec onto(LinkSpec spec) const;
};

/// What changes about a group's demand.
struct DemandChange {
  std::optional<double> mean_bit_s{}, lifetime_s{}, flow_bit_s{}, swing{}, swing_period_s{};

  [[nodiscard]] DemandSpec onto(DemandSpec spec) const;
};

struct Event {
  double at_s = 0;
  std::string text{};  // "fast: base 50ms"
  std::optional<std::size_t> link{};
  std::optional<std::size_t> group{};
  LinkChange link_change{};
  DemandChange demand_change{};
};

struct ScenarioLink {
  LinkSpec spec{};
  engine::NexthopTerms told{};
};

struct ScenarioGroup {
  std::string name{};
  std::string router{};
  GroupSpec spec{};
  engine::GroupTerms terms{};
};

/// How the routers measure.
struct Measurement {
  double probes_s = 5;       // a second, on each link
  double suspicious_s = 20;  // the same while something may be wrong
  double stale_s = 0;        // every measurement is known this much later
  bool passive = true;       // round-trip times and retransmissions of the traffic
  bool load = true;          // the interfaces' counters
};

struct Scenario {
  std::string name{};
  std::string about{};
  double duration_s = 600;
  double warm_up_s = 60;
  double settle_s = 60;         // after an event nothing counts as steady
  double loss_costs_ms = 1000;  // a lost byte, in the oracle's and the figures' cost
  double oracle_every_s = 0;    // the oracle chooses anew this often too; 0: at events alone
  PlantOptions plant{};
  Measurement measurement{};
  engine::Options engine{};
  std::vector<ScenarioLink> links{};
  std::vector<ScenarioGroup> groups{};
  std::vector<Event> events{};  // in order of time
};

/// The error has one line for each fault: "FILE:LINE:COLUMN: PATH: what (remedy)".
Result<Scenario> read_scenario(std::string_view text, const std::string& file);
/// Of a file.
Result<Scenario> load_scenario(const std::string& file);

}  // namespace hopwise::simulation
