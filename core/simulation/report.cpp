#include "core/simulation/report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/simulation/controller.hpp"
#include "core/simulation/oracle.hpp"
#include "core/simulation/sensors.hpp"

namespace hopwise::simulation {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kOracle = "oracle";
constexpr std::string_view kHindsight = "hindsight";

Result<> check_names(const std::vector<std::string>& only) {
  std::string known;
  for (const std::string_view name : controller_names()) known += std::string(name) + ", ";
  for (const std::string& name : only) {
    const auto names = controller_names();
    if (name != kOracle && name != kHindsight &&
        std::find(names.begin(), names.end(), name) == names.end())
      return Error{
          '"' + name +
          std::string("\" is no controller (known: ").append(known).append("hindsight, oracle)")};
  }
  return {};
}

Json figures_json(const Figures& f) {
  return {{"mean_ms", f.mean_ms},
          {"p50_ms", f.p50_ms},
          {"p99_ms", f.p99_ms},
          {"loss_ratio", f.loss},
          {"cost_ms", f.cost_ms}};
}

Json decision_json(const Decision& d) {
  Json paths = Json::array();
  for (const PathShare& p : d.paths)
    paths.push_back({{"path", raw(p.path)},
                     {"nexthop", raw(p.nexthop)},
                     {"before", p.before},
                     {"after", p.after},
                     {"usable", p.usable},
                     {"state", text(p.state)},
                     {"cost", p.cost}});
  return {{"t_s", seconds(d.at - at(0))}, {"group", raw(d.group)},
          {"reason", text(d.reason)},     {"cause", d.cause ? Json(raw(*d.cause)) : Json(nullptr)},
          {"evidence", d.evidence},       {"paths", std::move(paths)}};
}

Json gain_json(const GroupGain& g) {
  const auto or_null = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  Json reverts = Json::array();
  for (const Revert& r : g.reverts)
    reverts.push_back(
        {{"at_s", r.at_s}, {"until_s", or_null(r.until_s)}, {"truth_ms", or_null(r.truth_ms)}});
  Json told = nullptr;
  if (g.told)
    told = {{"control_ms", g.told->control_ms}, {"steered_ms", g.told->steered_ms},
            {"gain_ms", g.told->gain_ms},       {"lower_ms", g.told->lower_ms},
            {"upper_ms", g.told->upper_ms},     {"samples", g.told->samples}};
  return {{"group", g.group},
          {"told", std::move(told)},
          {"truth_ms", or_null(g.truth_ms)},
          {"intervals", g.intervals},
          {"held", g.held},
          {"held_nearly", g.held_nearly},
          {"reverts", std::move(reverts)}};
}

Json outcome_json(const Results& results, const Performance& o) {
  const auto regret_json = [&](const Figures Performance::*figures) {
    const auto found = regret(results, figures, o);
    return found ? Json(*found) : Json(nullptr);
  };
  Json reactions = Json::array();
  for (const Reaction& r : o.reactions)
    reactions.push_back({{"at_s", r.event.t_s},
                         {"event", r.event.text},
                         {"after_s", r.after_s ? Json(*r.after_s) : Json(nullptr)}});
  Json json{{"controller", o.controller},
            {"all", figures_json(o.all)},
            {"steady", figures_json(o.steady)},
            {"regret", regret_json(&Performance::all)},
            {"steady_regret", regret_json(&Performance::steady)},
            {"reversals", o.reversals},
            {"decisions", o.decisions},
            {"weight_moved", o.weight_moved},
            {"moved_bytes", o.moved_bytes},
            {"reactions", std::move(reactions)}};
  Json weights = Json::array();
  for (const Trace& trace : o.traces) {
    Json shares = Json::object();
    for (const PathTrace& path : trace.paths)
      shares[path.name] = path.weight.empty() ? 0 : path.weight.back();
    weights.push_back({{"group", trace.group}, {"weights", std::move(shares)}});
  }
  json["final"] = std::move(weights);
  Json gains = Json::array();
  for (const GroupGain& gain : o.gains) gains.push_back(gain_json(gain));
  if (!o.gains.empty()) json["gains"] = std::move(gains);
  Json explained = Json::array();
  for (const Decision& decision : o.explained) explained.push_back(decision_json(decision));
  if (!o.explained.empty()) json["explained"] = std::move(explained);
  return json;
}

}  // namespace

Result<Results> simulate(const Scenario& scenario, const std::vector<std::string>& only,
                         const std::function<void(std::string_view)>& tell) {
  if (const auto good = check_names(only); !good) return good.error();
  const auto wanted = [&](std::string_view name) {
    return only.empty() || std::find(only.begin(), only.end(), name) != only.end();
  };
  Results results{scenario.name, scenario.plant.seed, {}};
  for (const std::string_view name : controller_names()) {
    if (!wanted(name)) continue;
    tell(name);
    results.outcomes.push_back(play(scenario, name));
  }
  // Where the oracle chooses time and again.
  if (only.empty() ? scenario.oracle_every_s > 0 : wanted(kHindsight)) {
    tell(kHindsight);
    Scenario once = scenario;
    once.oracle_every_s = 0;
    results.outcomes.push_back(play(scenario, find_plan(once), kHindsight));
  }
  if (wanted(kOracle)) {
    tell(kOracle);
    results.outcomes.push_back(play(scenario, find_plan(scenario), kOracle));
  }
  return {boost::system::in_place_value, std::move(results)};
}

std::optional<double> regret(const Results& results, const Figures Performance::*figures,
                             const Performance& outcome) {
  const auto oracle = std::find_if(results.outcomes.begin(), results.outcomes.end(),
                                   [](const Performance& o) { return o.controller == kOracle; });
  if (oracle == results.outcomes.end()) return std::nullopt;
  const double best = ((*oracle).*figures).cost_ms;
  if (best <= 0) return std::nullopt;
  return (outcome.*figures).cost_ms / best - 1;
}

std::string to_json(const Results& results) {
  Json outcomes = Json::array();
  for (const Performance& o : results.outcomes) outcomes.push_back(outcome_json(results, o));
  return Json{
      {"scenario", results.scenario}, {"seed", results.seed}, {"outcomes", std::move(outcomes)}}
      .dump(2);
}

}  // namespace hopwise::simulation
