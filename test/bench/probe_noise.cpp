// How often noise is called a fault, and how soon faults in that noise are: the engine alone, on
// simulated time (test/unit/engine/noise.hpp says what noise is).
#include <array>

#include "test/bench/parts.hpp"
#include "test/unit/engine/noise.hpp"

namespace hopwise::bench {
namespace {

constexpr const char* kQuiet = "noise: nothing is wrong";
constexpr const char* kFaults = "noise: faults in it";

struct Setting {
  const char* name;
  std::uint32_t anchors;
  double suspicious_pace;
};
constexpr std::array<Setting, 4> kSettings{{{"1 anchor, 20 pps", 1, 20},
                                            {"1 anchor, 100 pps", 1, 100},
                                            {"3 anchors, 20 pps", 3, 20},
                                            {"3 anchors, 100 pps", 3, 100}}};

engine::NoisePlan plan_of(const Setting& setting, std::uint32_t paths) {
  engine::NoisePlan plan;
  plan.paths = paths;
  plan.anchors = setting.anchors;
  plan.suspicious_pace = setting.suspicious_pace;
  return plan;
}

void measure_quiet(Report& report, Effort effort) {
  const double minutes = effort == Effort::full ? 120 : 30;
  const std::uint32_t seeds = effort == Effort::full ? 3 : 1;
  report.explain(kQuiet,
                 "Simulated: " + std::to_string(static_cast<int>(minutes)) +
                     " minutes of 20 paths a run, 5 probes a second and anchor, with jitter, "
                     "spikes, routes that move by 2 ms, 0.5 % random loss, bursts of 30 to 100 ms "
                     "each minute and path, stalls of the host each minute.");
  double falls = 0;
  for (const Setting& setting : kSettings) {
    progress(std::string("noise: ") + setting.name);
    engine::NoiseReport sum;
    for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
      const auto run = engine::play_noise(plan_of(setting, 20), minutes, seed);
      sum.probes += run.probes;
      sum.lost += run.lost;
      sum.falls += run.falls;
      sum.moves += run.moves;
      sum.suspicious += run.suspicious / seeds;
    }
    const auto add = [&](const char* column, double value) {
      report.add({kQuiet, setting.name, column, {value, value, value}});
    };
    add("probes, thousands", static_cast<double>(sum.probes) / 1e3);
    add("lost, %", 100.0 * static_cast<double>(sum.lost) / static_cast<double>(sum.probes));
    add("false falls", sum.falls);
    add("false moves", sum.moves);
    add("time suspicious, %", 100 * sum.suspicious);
    falls += sum.falls + sum.moves;
  }
  report.judge({"noise: false falls and moves", Bound::at_most, 0, falls, ""});
}

void measure_faults(Report& report, Effort effort) {
  struct Case {
    const char* name;
    engine::Fault fault;
  };
  constexpr std::array<Case, 8> kCases{{{"black hole", {1, 0, 0, 0}},
                                        {"loss 30 %", {0.3, 0, 0, 0}},
                                        {"loss 10 %", {0.1, 0, 0, 0}},
                                        {"loss 5 %", {0.05, 0, 0, 0}},
                                        {"loss 2 %", {0.02, 0, 0, 0}},
                                        {"+100 ms", {0, 100, 0, 0}},
                                        {"+30 ms", {0, 30, 0, 0}},
                                        {"+5 ms", {0, 5, 0, 0}}}};
  const std::uint32_t trials = effort == Effort::full ? 100 : 10;
  report.explain(kFaults, "Seconds from the fault, of " + std::to_string(trials) +
                              " trials within 60 s each: until the path is called degraded or "
                              "down, and of +5 ms until a lasting shift of the delay is told.");
  for (const Setting& setting : kSettings)
    for (const Case& c : kCases) {
      std::vector<double> verdicts;
      for (std::uint32_t seed = 1; seed <= trials; ++seed) {
        const auto seen = engine::detect(plan_of(setting, 4), c.fault, 60, seed);
        const auto& when = c.fault.delay_ms == 5 ? seen.shift : seen.verdict;
        if (when) verdicts.push_back(*when);
      }
      const double part = 100.0 * static_cast<double>(verdicts.size()) / trials;
      if (!verdicts.empty())
        report.add({kFaults, c.name, std::string(setting.name) + ", s", spread(verdicts)});
      report.add({kFaults, c.name, std::string(setting.name) + ", % seen", {part, part, part}});
    }
}

}  // namespace

void measure_noise(Report& report, Effort effort) {
  measure_quiet(report, effort);
  measure_faults(report, effort);
}

}  // namespace hopwise::bench
