#include "test/lab/scenario.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {

/// A scenario of two upstreams with `rest` after them, on line 3.
std::string with(const std::string& rest) {
  return "{ \"name\": \"x\", \"duration_s\": 20,\n"
         "  \"upstreams\": [{\"name\": \"a\", \"delay_ms\": 10}, {\"name\": \"b\", \"loss\": "
         "0.1}],\n" +
         rest + "}";
}

std::string fault(const std::string& text) {
  const auto parsed = parse_scenario(text, "x.json");
  REQUIRE_FALSE(parsed.has_value());
  return parsed.error().message;
}

}  // namespace

TEST_CASE("every scenario that comes with the demo is good") {
  for (const char* name : {"brownout", "brownout6", "shared-lan", "eight-upstreams"}) {
    const auto scenario = load_scenario(name);
    INFO((scenario ? "" : scenario.error().message));
    REQUIRE(scenario.has_value());
    CHECK(scenario->name == name);
    CHECK_FALSE(scenario->events.empty());
  }
}

TEST_CASE("a scenario's figures arrive in the lab's units") {
  const auto scenario = load_scenario("brownout");
  REQUIRE(scenario.has_value());
  const auto& upstreams = scenario->topology.upstreams;
  REQUIRE(upstreams.size() == 2);
  CHECK(upstreams[0].daemon == Daemon::frr);
  CHECK(upstreams[1].daemon == Daemon::bird);
  CHECK(upstreams[1].impairment ==
        Impairment{.delay = 15ms, .jitter = 500us, .rate_bit_s = 200'000'000, .queue = 50ms});
  CHECK(scenario->families == std::vector{Family::v4});
  CHECK(scenario->traffic.long_flows == 8);
  CHECK(scenario->hopwise == "{}");
}

TEST_CASE("events add up until a restore takes all of them back") {
  const auto scenario = load_scenario("brownout");
  REQUIRE(scenario.has_value());
  REQUIRE(scenario->events.size() == 3);
  CHECK(scenario->events[0].impairment.delay == 60ms);
  CHECK(scenario->events[0].what == "delay_ms=60");
  CHECK(scenario->events[1].impairment.delay == 60ms);
  CHECK(scenario->events[1].impairment.loss == 1);
  CHECK(scenario->events[2].impairment == scenario->topology.upstreams[0].impairment);
  CHECK(scenario->events[2].what == "restore");
}

TEST_CASE("a typing error in a scenario is told with line and column") {
  CHECK(fault(with(R"("trafic": {})")).find("x.json:3:1") == 0);
  CHECK(fault(with(R"("events": [{"at_s": 1, "upstream": "c", "restore": true}])"))
            .find("\"c\" is not the name of an upstream") != std::string::npos);
  CHECK(fault(with(R"("events": [{"at_s": 1, "upstream": "a"}])")).find("either \"set\" or") !=
        std::string::npos);
  CHECK(fault(with(R"("events": [{"at_s": 21, "upstream": "a", "restore": true}])"))
            .find("x.json:3:21") == 0);
  CHECK(fault(with(R"("families": [5])")).find("families") != std::string::npos);
}

TEST_CASE("a scenario that cannot be run is refused") {
  CHECK(fault(R"({"name": "x", "upstreams": [{"name": "a"}]})").find("2 to 8") !=
        std::string::npos);
  CHECK(fault(R"({"name": "x", "upstreams": [{"name": "a"}, {"name": "a"}]})")
            .find("another upstream's name") != std::string::npos);
  CHECK(fault(with(R"("traffic": {"mbit": 10})")).find("16 Mbit/s") != std::string::npos);
  CHECK(fault(with(R"("events": [{"at_s": 9, "upstream": "a", "set": {"loss": 1}},
                                 {"at_s": 8, "upstream": "a", "restore": true}])"))
            .find("before the event above it") != std::string::npos);
}

TEST_CASE("a link is worse when any one of its figures is") {
  const Impairment usual{.delay = 10ms, .rate_bit_s = 1'000'000};
  CHECK_FALSE(is_worse(usual, usual));
  CHECK(is_worse({.delay = 11ms, .rate_bit_s = 1'000'000}, usual));
  CHECK(is_worse({.delay = 10ms, .rate_bit_s = 900'000}, usual));
  CHECK_FALSE(is_worse({.delay = 5ms}, usual));  // and no limit of the rate at all
}
