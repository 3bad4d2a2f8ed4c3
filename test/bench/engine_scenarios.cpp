// Every scenario of test/sim, played by hopwise, by the laws that it is compared with, and by the
// oracle. Judged in the steady state, hopwise against its targets: mean latency within 2 % of the
// oracle's, no reversal, loss at most 0.1 % above, and never worse than ECMP by more than 1 %.
// Where it fails, the table says so by a 1 under the target that was missed.
#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "core/simulation/report.hpp"
#include "test/bench/parts.hpp"

namespace hopwise::bench {
namespace {

constexpr double kLatency = 0.02, kLoss = 0.001, kEcmp = 0.01;
constexpr std::size_t kQuick = 5;  // scenarios

Spread one(double v) {
  return {v, v, v};
}

std::vector<std::filesystem::path> scenario_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(HOPWISE_SOURCE_DIR) / "test/sim"))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

const simulation::Performance* find(const simulation::Results& results, const char* name) {
  for (const simulation::Performance& outcome : results.outcomes)
    if (outcome.controller == name) return &outcome;
  return nullptr;
}

struct Missed {
  double latency = 0, reversals = 0, loss = 0, ecmp = 0, reverts = 0;
};

// A scenario without a steady state is judged as a whole, but for the oracle's latency.
void judge(Report& report, const simulation::Results& results, Missed& missed) {
  const auto* hopwise = find(results, "hopwise");
  const auto* oracle = find(results, "oracle");
  const auto* ecmp = find(results, "ecmp");
  if (hopwise == nullptr || oracle == nullptr || ecmp == nullptr)
    throw std::runtime_error(results.scenario + ": hopwise, oracle or ecmp did not play");
  const bool steady = hopwise->steady.mean_ms > 0;
  const auto figures = steady ? &simulation::Performance::steady : &simulation::Performance::all;
  const simulation::Figures& mine = hopwise->*figures;
  const simulation::Figures& best = oracle->*figures;
  const simulation::Figures& plain = ecmp->*figures;
  const double above = best.mean_ms > 0 ? mine.mean_ms / best.mean_ms - 1 : 0;
  const double loss = mine.loss - best.loss;
  const double versus = plain.cost_ms > 0 ? mine.cost_ms / plain.cost_ms - 1 : 0;
  const bool slow = steady && above > kLatency, turned = hopwise->reversals > 0,
             lossy = loss > kLoss, worse = versus > kEcmp;
  missed.latency += slow, missed.reversals += turned, missed.loss += lossy, missed.ecmp += worse;
  const auto cell = [&](const char* column, double value) {
    report.add({"scenarios", results.scenario, column, one(value)});
  };
  cell("hopwise ms", mine.mean_ms);
  cell("oracle ms", best.mean_ms);
  cell("ecmp ms", plain.mean_ms);
  cell("above oracle %", 100 * above);
  if (const auto* fixed = find(results, "hindsight"); fixed && (fixed->*figures).mean_ms > 0)
    cell("above hindsight %", 100 * (mine.mean_ms / (fixed->*figures).mean_ms - 1));
  cell("loss above %", 100 * loss);
  cell("cost above ecmp %", 100 * versus);
  cell("reversals", hopwise->reversals);
  cell("targets missed", slow + turned + lossy + worse);
}

void tell_others(Report& report, const simulation::Results& results) {
  for (const simulation::Performance& outcome : results.outcomes)
    if (const auto regret = simulation::regret(results, &simulation::Performance::all, outcome))
      report.add({"regret", results.scenario, outcome.controller + " %", one(100 * *regret)});
}

void tell_reactions(Report& report, const simulation::Results& results) {
  for (const simulation::Performance& outcome : results.outcomes)
    for (const simulation::Reaction& reaction : outcome.reactions)
      if (outcome.controller == "hopwise" || outcome.controller == "threshold")
        report.add({"reactions",
                    results.scenario + ", " + reaction.event.text.substr(0, 40) + " at " +
                        std::to_string(static_cast<int>(reaction.event.t_s)) + " s",
                    outcome.controller + " s", one(reaction.after_s.value_or(-1))});
}

/// What control flows told of hopwise's steering, and what was true.
void tell_gains(Report& report, const simulation::Results& results, Missed& missed) {
  const auto* hopwise = find(results, "hopwise");
  if (hopwise == nullptr) return;
  for (const simulation::GroupGain& gain : hopwise->gains) {
    const auto cell = [&](const char* column, double value) {
      report.add({"gains", results.scenario, column, one(value)});
    };
    if (gain.told) {
      cell("gain ms", gain.told->gain_ms);
      cell("from ms", gain.told->lower_ms);
      cell("to ms", gain.told->upper_ms);
    }
    if (gain.truth_ms) cell("truth ms", *gain.truth_ms);
    if (gain.intervals > 0) {
      cell("held %", 100.0 * gain.held / gain.intervals);
      cell("nearly %", 100.0 * gain.held_nearly / gain.intervals);
    }
    cell("reverts", static_cast<double>(gain.reverts.size()));
    for (const simulation::Revert& revert : gain.reverts)
      missed.reverts += revert.truth_ms.value_or(0) >= 0;
  }
}

}  // namespace

void measure_scenarios(Report& report, Effort effort) {
  report.explain(
      "scenarios",
      "hopwise in the steady state of each scenario of test/sim (without one: over all of "
      "it), next to the oracle, which knows the links, and to ECMP. Where load wanders, the oracle "
      "foresees it; hindsight is the best split that does not change.");
  report.explain("regret",
                 "what more each law costs than the oracle, over the whole scenario; a lost "
                 "byte counts as 1 s of delay.");
  report.explain("reactions",
                 "simulated time until 90 % of the movable traffic had left the link; "
                 "-1: never.");
  report.explain("gains",
                 "what steering gains, as control flows told it at the end, and in truth; how many "
                 "of all intervals held the truth, or missed it by no more than 1/32 of the "
                 "round-trip time, which histograms do not tell.");
  std::vector<std::filesystem::path> files = scenario_files();
  if (effort == Effort::quick && files.size() > kQuick) files.resize(kQuick);
  Missed missed;
  for (const auto& file : files) {
    progress("playing " + file.stem().string());
    const auto scenario = simulation::load_scenario(file.string());
    if (!scenario) throw std::runtime_error(scenario.error().message);
    const std::vector<std::string> only =
        effort == Effort::quick ? std::vector<std::string>{"hopwise", "ecmp", "oracle"}
                                : std::vector<std::string>{};
    auto results = simulation::simulate(*scenario, only, [](std::string_view) {});
    if (!results) throw std::runtime_error(results.error().message);
    results->scenario = file.stem().string();
    judge(report, *results, missed);
    tell_others(report, *results);
    tell_reactions(report, *results);
    tell_gains(report, *results, missed);
  }
  const auto none = [&](const char* what, double n) {
    report.judge({what, Bound::at_most, 0, n, "scenarios"});
  };
  none("mean latency more than 2 % above the oracle's, in the steady state", missed.latency);
  none("reversals in the steady state", missed.reversals);
  none("loss more than 0.1 % above the oracle's", missed.loss);
  none("worse than ECMP by more than 1 %", missed.ecmp);
  none("reverted although steering did not hurt", missed.reverts);
}

}  // namespace hopwise::bench
