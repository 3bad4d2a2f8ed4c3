// The demo is the main job, end to end; its own verdict is its exit status.
#include <fstream>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

TEST_CASE("the demo's scenarios end with traffic where it belongs", "[e2e][demo]") {
  const std::string scenario = GENERATE("brownout", "brownout6", "shared-lan");
  const auto out = std::filesystem::temp_directory_path() /
                   ("hopwise-demo-" + std::to_string(getpid()) + ".json");
  const auto ran = lab::run({DEMO_BINARY, "--plain", "--scenario", scenario, "--json", out});
  INFO(scenario);
  INFO((ran ? *ran : ran.error().message));
  CHECK(ran.has_value());
  const Json report = Json::parse(std::ifstream(out));
  std::filesystem::remove(out);
  for (const Json& check : report["checks"]) CHECK(check["passed"] == true);
}
