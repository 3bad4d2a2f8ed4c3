// Whole runs: the same every time, fair among the controllers, and none beats the oracle where
// nothing changes.
#include "core/simulation/run.hpp"

#include "core/cli/simulate.hpp"
#include "core/simulation/controller.hpp"
#include "core/simulation/oracle.hpp"
#include "core/simulation/recorder.hpp"
#include "core/simulation/report.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::simulation;

namespace {

Scenario two_paths(double demand_bit_s) {
  Scenario s;
  s.name = "two";
  s.duration_s = 300;
  s.warm_up_s = 60;
  s.links = {{{.name = "fast", .capacity_bit_s = 1e9, .base_ms = 20}, {}},
             {{.name = "slow", .capacity_bit_s = 5e8, .base_ms = 25}, {}}};
  for (ScenarioLink& link : s.links) link.told.capacity = {link.spec.capacity_bit_s, true};
  ScenarioGroup& group = s.groups.emplace_back();
  group.name = "all";
  group.router = "router";
  group.spec.links = {0, 1};
  group.spec.demand.mean_bit_s = demand_bit_s;
  return s;
}

void black_hole(Scenario& s, double from_s, double to_s) {
  Event event{.at_s = from_s, .text = "fast: black hole", .link = 0};
  event.link_change.outage = Outage::black_hole;
  s.events.push_back(event);
  event.at_s = to_s;
  event.text = "fast: back";
  event.link_change.outage = Outage::none;
  s.events.push_back(event);
}

}  // namespace

TEST_CASE("the same scenario gives the same outcome, another seed another", "[simulation]") {
  Scenario scenario = two_paths(1.2e9);
  for (const std::string_view name : controller_names()) {
    INFO(name);
    const Performance one = play(scenario, name);
    const Performance same = play(scenario, name);
    CHECK(one.all.mean_ms == same.all.mean_ms);
    CHECK(one.decisions == same.decisions);
    CHECK(one.traces[0].paths[0].load_bit_s == same.traces[0].paths[0].load_bit_s);
  }
  const double before = play(scenario, "ecmp").all.mean_ms;
  scenario.plant.seed = 2;
  CHECK(play(scenario, "ecmp").all.mean_ms != before);
}

TEST_CASE("no baseline beats the oracle where nothing changes", "[simulation]") {
  for (const double demand : {2e8, 1e9, 1.2e9, 1.35e9}) {
    for (const std::uint64_t seed : {1, 2}) {
      Scenario scenario = two_paths(demand);
      scenario.plant.seed = seed;
      const Performance oracle = play(scenario, find_plan(scenario), "oracle");
      for (const std::string_view name : controller_names()) {
        if (name == "hopwise") continue;
        INFO(name << " at " << demand << " seed " << seed);
        CHECK(play(scenario, name).all.cost_ms >= 0.995 * oracle.all.cost_ms);
      }
    }
  }
}

TEST_CASE("the oracle leaves a dead path, and returns", "[simulation]") {
  Scenario scenario = two_paths(4e8);
  black_hole(scenario, 150, 200);
  const Performance oracle = play(scenario, find_plan(scenario), "oracle");
  REQUIRE(oracle.reactions.size() == 1);
  CHECK(oracle.reactions[0].after_s.value_or(99) < 0.1);
  CHECK(oracle.all.loss < 0.001);
  CHECK(oracle.traces[0].paths[0].weight.back() > 0.9F);
}

TEST_CASE("the baselines do what their makers say", "[simulation]") {
  Scenario scenario = two_paths(4e8);
  black_hole(scenario, 150, 200);
  const auto final_share = [&](std::string_view name) {
    return play(scenario, name).traces[0].paths[0].weight.back();
  };
  const auto reaction = [&](std::string_view name) {
    const Performance outcome = play(scenario, name);
    REQUIRE(outcome.reactions.size() == 1);
    return outcome.reactions[0].after_s;
  };
  CHECK(final_share("ecmp") == Approx(0.5));
  CHECK(final_share("static") == Approx(2.0 / 3));
  CHECK(final_share("greedy") == 1);
  CHECK(final_share("hysteresis") == 1);
  CHECK(final_share("inverse_rtt") == Approx(25.0 / 45).margin(0.01));
  CHECK_FALSE(reaction("ecmp").has_value());
  CHECK_FALSE(reaction("static").has_value());
  CHECK(reaction("greedy").value_or(99) < 3);
  CHECK(reaction("hysteresis").value_or(99) < 3);
  CHECK(reaction("threshold").value_or(99) < 20);
  CHECK(reaction("threshold").value_or(0) > 2);
}

TEST_CASE("a link without carrier loses all flows at once, whoever steers", "[simulation]") {
  Scenario scenario = two_paths(4e8);
  black_hole(scenario, 150, 200);
  scenario.events[0].link_change.outage = Outage::link_down;
  for (const std::string_view name : controller_names()) {
    INFO(name);
    const Performance outcome = play(scenario, name);
    CHECK(outcome.all.loss < 0.002);
    REQUIRE(outcome.reactions.size() == 1);
    CHECK(outcome.reactions[0].after_s.value_or(99) < 0.3);
  }
}

TEST_CASE("stale measurements make every reaction later by as much", "[simulation]") {
  Scenario scenario = two_paths(4e8);
  black_hole(scenario, 150, 200);
  const auto fresh = play(scenario, "hysteresis").reactions.at(0).after_s;
  scenario.measurement.stale_s = 3;
  const auto stale = play(scenario, "hysteresis").reactions.at(0).after_s;
  REQUIRE(fresh.has_value());
  REQUIRE(stale.has_value());
  CHECK(*stale - *fresh == Approx(3).margin(1.1));
}

TEST_CASE("a weight turns when it comes back by more than half a percent", "[simulation]") {
  Turns turns;
  int count = 0;
  for (const double w : {0.5, 0.52, 0.55, 0.547, 0.56, 0.554, 0.52, 0.523, 0.53}) {
    count += turns.follow(w);
  }
  CHECK(count == 2);
  Turns still;
  for (const double w : {0.5, 0.503, 0.498, 0.502}) CHECK_FALSE(still.follow(w));
}

TEST_CASE("routers that share links see their own groups alone", "[simulation]") {
  Scenario scenario = two_paths(4e8);
  scenario.groups.push_back(scenario.groups[0]);
  scenario.groups[1].name = "other";
  scenario.groups[1].router = "second";
  const Performance outcome = play(scenario, "greedy");
  REQUIRE(outcome.traces.size() == 2);
  CHECK(outcome.traces[1].group == "other");
  const auto& loads = outcome.traces[0].paths[0].load_bit_s;
  CHECK(loads.back() == Approx(8e8).epsilon(0.2));
}

TEST_CASE("the engine explains in simulations as it does live", "[simulation]") {
  Scenario scenario = two_paths(4e8);
  black_hole(scenario, 150, 200);
  const auto results = simulate(scenario, {"hopwise", "oracle"}, [](std::string_view) {});
  REQUIRE(results.has_value());
  REQUIRE(results->outcomes.size() == 2);
  const auto& explained = results->outcomes[0].explained;
  CHECK(std::any_of(explained.begin(), explained.end(),
                    [](const Decision& d) { return d.reason == Reason::path_down; }));
  CHECK(cli::render_decisions(*results).find("path_down") != std::string::npos);
  const std::string table = cli::render_results(*results);
  CHECK(table.find("fast: black hole") != std::string::npos);
  CHECK(table.find("oracle") != std::string::npos);
  CHECK(to_json(*results).find("\"regret\"") != std::string::npos);
}

TEST_CASE("where load wanders, the best split that does not change stands beside the oracle",
          "[simulation]") {
  Scenario scenario = two_paths(8e8);
  auto& cross = scenario.links[0].spec.cross;
  cross.kind = CrossKind::sine;
  cross.mean_bit_s = 3e8;
  cross.amplitude_bit_s = 2.5e8;
  cross.period_s = 100;
  const auto cost = [](const Results& results, std::string_view name) {
    for (const Performance& p : results.outcomes)
      if (p.controller == name) return p.all.cost_ms;
    return -1.0;
  };
  const auto play_all = [&] { return simulate(scenario, {}, [](std::string_view) {}); };
  auto results = play_all();
  REQUIRE(results.has_value());
  CHECK(cost(*results, "hindsight") < 0);  // they are one
  scenario.oracle_every_s = 20;
  results = play_all();
  REQUIRE(results.has_value());
  CHECK(cost(*results, "oracle") > 0);
  CHECK(cost(*results, "oracle") < cost(*results, "hindsight"));
  // Which are fixed, too.
  CHECK(cost(*results, "hindsight") <= cost(*results, "ecmp") * 1.001);
  CHECK(cost(*results, "hindsight") <= cost(*results, "static") * 1.001);
}

TEST_CASE("an unknown controller is refused with the known ones", "[simulation]") {
  const auto results = simulate(two_paths(1e8), {"magic"}, [](std::string_view) {});
  REQUIRE_FALSE(results.has_value());
  CHECK(results.error().message.find("\"magic\" is no controller (known: hopwise, ecmp") == 0);
}
