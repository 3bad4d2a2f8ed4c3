// A path that BGP told of and routing does not use, in the plant: never used while it is worse,
// used while it is better, and by no baseline that follows routing.
#include <algorithm>

#include "core/simulation/run.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::simulation;

namespace {

Scenario scenario_named(const std::string& name) {
  auto scenario = load_scenario(HOPWISE_SOURCE_DIR "/test/sim/" + name + ".json");
  INFO((scenario ? "" : scenario.error().message));
  REQUIRE(scenario.has_value());
  return *scenario;
}

/// The largest share that the candidate, the second path, has from `from_s` to `to_s`; the least.
struct Span {
  double least = 1;
  double most = 0;
};
Span share(const Performance& outcome, double from_s, double to_s) {
  const Trace& trace = outcome.traces.at(0);
  Span span;
  for (std::size_t i = 0; i < trace.t_s.size(); ++i) {
    if (trace.t_s[i] < from_s || trace.t_s[i] > to_s) continue;
    const double weight = double{trace.paths.at(1).weight.at(i)};
    span.least = std::min(span.least, weight);
    span.most = std::max(span.most, weight);
  }
  return span;
}

}  // namespace

TEST_CASE("a candidate that is worse is never used in the plant", "[simulation][candidates]") {
  Scenario scenario = scenario_named("candidate_worse");
  for (const std::uint64_t seed : {1, 2, 3}) {
    scenario.plant.seed = seed;
    CHECK(share(play(scenario, "hopwise"), 0, scenario.duration_s).most == 0);
  }
}

TEST_CASE("a candidate that is better is used, left when it is worse, and taken again",
          "[simulation][candidates]") {
  const Scenario scenario = scenario_named("candidate_better");
  const Performance outcome = play(scenario, "hopwise");
  CHECK(share(outcome, 0, 5).most == 0);
  CHECK(share(outcome, 180, 415).least > 0.95);
  CHECK(share(outcome, 430, 655).most < 0.01);
  CHECK(share(outcome, 880, 899).least > 0.9);
}

TEST_CASE("ECMP gives a candidate nothing", "[simulation][candidates]") {
  const Scenario scenario = scenario_named("candidate_better");
  CHECK(share(play(scenario, "ecmp"), 0, scenario.duration_s).most == 0);
}
