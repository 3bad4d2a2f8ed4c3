// Scenario files: what is read, and what is said of what cannot be.
#include "core/simulation/scenario.hpp"

#include <filesystem>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::simulation;

namespace {

std::string error_of(const std::string& text) {
  const auto scenario = read_scenario(text, "x.json");
  REQUIRE_FALSE(scenario.has_value());
  return scenario.error().message;
}

constexpr const char* kLinks =
    R"("links": [{"name": "a", "capacity": "1Gbit", "base": "20ms"},
  {"name": "b", "capacity": "500Mbit", "base": "25ms", "told": {"capacity": "400Mbit"}}])";

std::string with(const std::string& rest) {
  return std::string("{\"name\": \"x\",\n") + kLinks + ",\n" + rest + "}";
}

}  // namespace

TEST_CASE("every scenario of test/sim is good", "[simulation]") {
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HOPWISE_SOURCE_DIR "/test/sim")) {
    if (entry.path().extension() != ".json") continue;
    const auto scenario = load_scenario(entry.path());
    INFO((scenario ? "" : scenario.error().message));
    REQUIRE(scenario.has_value());
    CHECK(scenario->links.size() >= 2);
    ++read;
  }
  CHECK(read >= 21);
}

TEST_CASE("a scenario's values arrive in the units of the model", "[simulation]") {
  const auto scenario = read_scenario(
      with(R"("demand": {"mean": "1200Mbit", "lifetime": "10s", "lifetimes": "pareto"},
  "duration": "10m", "measurement": {"stale": "2s"}, "engine": {"max_step": 0.05},
  "policy": "loss", "objectives": {"max_latency": "80ms"},
  "events": [{"at": "30s", "link": "b", "every": "1m", "times": 3, "change": {"base": "50ms"}},
             {"at": "45s", "group": "all", "change": {"mean": "1Mbit"}}])"),
      "x.json");
  REQUIRE(scenario.has_value());
  CHECK(scenario->duration_s == 600);
  CHECK(scenario->links[1].spec.capacity_bit_s == 5e8);
  CHECK(scenario->links[1].told.capacity->bit_s == 4e8);
  CHECK_FALSE(scenario->links[0].told.capacity.has_value());
  REQUIRE(scenario->groups.size() == 1);
  const ScenarioGroup& group = scenario->groups[0];
  CHECK(group.spec.links == std::vector<std::size_t>{0, 1});
  CHECK(group.spec.demand.lifetimes == Lifetimes::pareto);
  CHECK(group.terms.policy.name == "loss");
  CHECK(group.terms.objectives.max_latency == std::chrono::milliseconds(80));
  CHECK(scenario->measurement.stale_s == 2);
  CHECK(scenario->engine.max_step == 0.05);
  REQUIRE(scenario->events.size() == 4);
  CHECK(scenario->events[1].at_s == 45);
  CHECK(scenario->events[3].at_s == 150);
  CHECK(scenario->events[3].link_change.onto(scenario->links[1].spec).base_ms == 50);
  CHECK(scenario->events[0].text == "b: base=50ms");
}

TEST_CASE("copies make many links and groups of one", "[simulation]") {
  const auto scenario = read_scenario(
      R"({"name": "x", "links": [{"name": "p", "copies": 3, "capacity": "1Gbit", "base": "20ms"}],
  "groups": [{"name": "g", "copies": 5, "paths": ["p1", "p3"], "routing": [1, 2],
              "demand": {"mean": "1Mbit"}}]})",
      "x.json");
  REQUIRE(scenario.has_value());
  CHECK(scenario->links.size() == 3);
  REQUIRE(scenario->groups.size() == 5);
  CHECK(scenario->groups[4].name == "g5");
  CHECK(scenario->groups[4].spec.links == std::vector<std::size_t>{0, 2});
}

TEST_CASE("a wrong scenario is told by line, column and remedy", "[simulation]") {
  CHECK(error_of("{").find("x.json:1:2: not JSON") == 0);
  CHECK(error_of("{}").find("key \"links\" is missing (add it)") != std::string::npos);
  CHECK(error_of(with("\"demand\": {\"mean\": \"5\"}"))
            .find("x.json:4:20: demand.mean: \"5\" has no unit of rate") == 0);
  CHECK(error_of(with("\"demand\": {\"mean\": \"5Mbit\", \"shap\": 2}"))
            .find("unknown key \"shap\" (did you mean \"shape\"?)") != std::string::npos);
  CHECK(error_of(with("\"demand\": {\"mean\": \"5Mbit\"}, \"policy\": \"speed\""))
            .find("\"speed\" is no policy (write one of balanced") != std::string::npos);
  CHECK(error_of(with(R"("groups": [{"name": "g", "paths": ["a", "c"],
  "demand": {"mean": "5Mbit"}}])"))
            .find("x.json:4:35: groups[0].paths: no link has the name \"c\"") == 0);
  CHECK(error_of(with(R"("demand": {"mean": "5Mbit"},
  "events": [{"at": "5s", "link": "z", "change": {}}])"))
            .find("x.json:5:35: events[0].link: no link has the name \"z\"") == 0);
  CHECK(error_of(with(R"("demand": {"mean": "5Mbit"}, "events": [{"at": "5s"}])"))
            .find("an event needs a \"link\" or a \"group\"") != std::string::npos);
  CHECK(error_of(with(R"("demand": {"mean": "5Mbit"},
  "events": [{"at": "2h", "link": "a", "change": {"base": "1ms"}}])"))
            .find("comes after the end") != std::string::npos);
  CHECK(error_of(with(R"("demand": {"mean": "5Mbit", "control_share": 0.7})"))
            .find("x.json:4:46: demand.control_share: ") == 0);
  CHECK(error_of(with(R"("demand": {"mean": "5Mbit"},
  "events": [{"at": "5s", "link": "a", "change": {"probe_loss": 2, "user_extra": "1m"}}])"))
            .find("x.json:5:65: events[0].change.probe_loss: ") != std::string::npos);
  CHECK(error_of(with(R"("demand": {"mean": "5Mbit"}, "warm_up": "10m")"))
            .find("warm_up: is as long as the whole") != std::string::npos);
}

TEST_CASE("a scenario file that is not there is named", "[simulation]") {
  const auto scenario = load_scenario("/nowhere/x.json");
  REQUIRE_FALSE(scenario.has_value());
  CHECK(scenario.error().message.find("read /nowhere/x.json: ") == 0);
}
