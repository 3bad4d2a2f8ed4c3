// Reads a scenario's objects, one function each; test/sim/README.md describes the keys.
#pragma once

#include <vector>

#include "core/config/reader.hpp"
#include "core/simulation/scenario.hpp"

namespace hopwise::simulation {

class ScenarioReader {
 public:
  explicit ScenarioReader(Scenario& scenario) : scenario_(&scenario) {}
  void read(config::Object& top);

 private:
  void read_times(config::Object& top);
  void read_measurement(config::Object& o);
  void read_link(config::Object& o);
  void read_told(config::Object& link, ScenarioLink& out);
  void read_group(config::Object& o);
  void read_paths(config::Object& o, GroupSpec& group);
  void read_policy(config::Object& o, engine::GroupTerms& terms);
  void read_event(config::Object& o);
  void check(config::Object& top);

  [[nodiscard]] std::optional<std::size_t> find_link(const std::string& name) const;

  Scenario* scenario_;
};

/// The keys that a link and an event share.
LinkChange read_link_change(config::Object& o);
/// The demand's keys.
void read_demand(config::Object& o, DemandSpec& spec);
DemandChange read_demand_change(config::Object& o);
/// Some tunables of the engine, by their names.
void read_engine(config::Object& o, engine::Options& options);

}  // namespace hopwise::simulation
