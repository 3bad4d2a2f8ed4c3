#include "core/simulation/scenario.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "core/config/reader.hpp"
#include "core/model/format.hpp"
#include "core/simulation/scenario_reader.hpp"

namespace hopwise::simulation {
namespace {

template <class T>
void overlay(T& target, const std::optional<T>& change) {
  if (change) target = *change;
}

}  // namespace

LinkSpec LinkChange::onto(LinkSpec spec) const {
  overlay(spec.capacity_bit_s, capacity_bit_s);
  overlay(spec.base_ms, base_ms);
  overlay(spec.drift_ms_s, drift_ms_s);
  overlay(spec.buffer_ms, buffer_ms);
  overlay(spec.jitter_ms, jitter_ms);
  overlay(spec.spike, spike);
  overlay(spec.loss, loss);
  overlay(spec.user_extra_ms, user_extra_ms);
  overlay(spec.probe_loss, probe_loss);
  overlay(spec.bursts, bursts);
  overlay(spec.cross, cross);
  overlay(spec.outage, outage);
  return spec;
}

DemandSpec DemandChange::onto(DemandSpec spec) const {
  overlay(spec.mean_bit_s, mean_bit_s);
  overlay(spec.lifetime_s, lifetime_s);
  overlay(spec.flow_bit_s, flow_bit_s);
  overlay(spec.swing, swing);
  overlay(spec.swing_period_s, swing_period_s);
  return spec;
}

Result<Scenario> read_scenario(std::string_view text, const std::string& file) {
  Scenario scenario;
  const auto good =
      config::read(text, file, [&](config::Object& top) { ScenarioReader(scenario).read(top); });
  if (!good) return good.error();
  return {boost::system::in_place_value, std::move(scenario)};
}

Result<Scenario> load_scenario(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) return Error{"read " + file + ": cannot be read (does it exist, and may you read it?)"};
  return read_scenario(text.str(), file);
}

}  // namespace hopwise::simulation
