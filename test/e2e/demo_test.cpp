// The demo is the main job, end to end. Its exit status bounds seconds, which a busy test machine
// may exceed; what must hold on any machine is asked here.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

// Plays a scenario and returns its report; what it printed where there is none.
Json play(const std::string& scenario, std::vector<std::string> options = {}) {
  const auto out = std::filesystem::temp_directory_path() /
                   ("hopwise-demo-" + std::to_string(getpid()) + ".json");
  std::vector<std::string> argv{DEMO_BINARY, "--plain", "--scenario", scenario, "--json", out};
  argv.insert(argv.end(), options.begin(), options.end());
  const auto ran = lab::run(argv);
  UNSCOPED_INFO((ran ? *ran : ran.error().message));
  const Json report = Json::parse(std::ifstream(out), nullptr, /*allow_exceptions=*/false);
  std::filesystem::remove(out);
  return report;
}

}  // namespace

TEST_CASE("traffic leaves a bad path, loses no flow, and comes back once", "[e2e][demo]") {
  const std::string scenario = GENERATE("brownout", "brownout6", "shared-lan");
  const Json report = play(scenario);
  REQUIRE(report.is_object());
  CHECK(report["short_flows_lost"] == 0);
  CHECK(report["long_flows_lost"] == 0);
  for (const Json& event : report["events"]) {
    INFO(scenario << ": " << event.dump());
    if (event["what"] == "restore") {
      CHECK(event["return"]["after_s"].is_number());
      CHECK(event["return"]["reversals"] == 0);
    } else {
      CHECK(event["moved_s"].is_number());  // before the next event
      CHECK(event["flows_lost"] == 0);
      CHECK(event["flows_lost_elsewhere"] == 0);
    }
  }
  // Those without seconds in them: Prometheus had data for the dashboard, the daemon ran on.
  for (const Json& check : report["checks"])
    if (check["name"].get<std::string>().find(" within ") == std::string::npos)
      CHECK(check["passed"] == true);
}

TEST_CASE("without steering the same events leave traffic where it was", "[e2e][demo]") {
  const Json report = play("brownout", {"--no-steer"});
  REQUIRE(report.is_object());
  CHECK(report["steered"] == false);
  CHECK(report["decisions"].empty());
  CHECK(report["events"][0]["moved_s"].is_null());
}
