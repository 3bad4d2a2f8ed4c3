// What hopwise has learnt outlives the process; a state file that cannot be read does not keep it
// from starting.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;
namespace fs = std::filesystem;

namespace {

Json read_state(const fs::path& path) {
  std::ifstream in(path);
  return Json::parse(in, nullptr, false);
}

double base_ms(const Router& router, std::size_t upstream) {
  const Json nexthop = router.nexthop(upstream, Family::v4);
  const Json base = nexthop.value("base_ms", Json());
  return base.is_number() ? double(base) : 0;
}

}  // namespace

TEST_CASE("bases are known again after an end and a SIGKILL", "[e2e]") {
  Router router(two_upstreams());
  const fs::path file = router.lab().hopwise_state();
  router.start(config_with_anchors(router.lab()));
  REQUIRE(lab::eventually(20s, [&] { return base_ms(router, 0) > 0; }));
  const double before = base_ms(router, 0);
  CHECK(router.daemon().stop() == 0);
  const Json written = read_state(file);
  REQUIRE(written.is_object());
  CHECK(written["body"]["nexthops"].size() >= 2);

  // From now on a queue stands: what was the base is not to be seen any more.
  router.lab().relay().set(router.lab().core_link(0), {.delay = 60ms});
  for (const int signal : {SIGKILL, SIGTERM}) {
    router.start(config_with_anchors(router.lab()));
    REQUIRE(lab::eventually(20s, [&] { return base_ms(router, 0) > 0; }));
    INFO(router.daemon().log());
    CHECK(base_ms(router, 0) < before + 5);
    CHECK_THAT(router.daemon().log(), Catch::Contains("state_read"));
    router.daemon().kill(signal);
    REQUIRE(router.daemon().wait(10s));
    CHECK(read_state(file).is_object());
  }
}

TEST_CASE("a corrupt state file is set aside, and hopwise starts", "[e2e]") {
  Router router(two_upstreams());
  const fs::path file = router.lab().hopwise_state();
  std::ofstream(file) << R"({"hopwise_state":1,"sha256":")";
  router.start(config_with_anchors(router.lab()));  // waits until it is ready
  CHECK_THAT(router.daemon().log(),
             Catch::Contains("state_not_read") && Catch::Contains("cut short"));
  CHECK_FALSE(fs::exists(file));
  CHECK(router.daemon().stop() == 0);
  CHECK(read_state(file).is_object());
}

TEST_CASE("a state file that cannot be written is warned of once, and not fatal", "[e2e]") {
  Router router(two_upstreams());
  fs::create_directory(router.lab().hopwise_state());
  router.start(config_with_anchors(router.lab()));
  const std::string log = router.daemon().log();
  CHECK_THAT(log, Catch::Contains("no regular file"));
  CHECK(router.daemon().stop() == 0);
  CHECK(fs::is_directory(router.lab().hopwise_state()));
}
