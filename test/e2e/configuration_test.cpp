// Wrong configurations: each is refused with its place, and a running daemon keeps what it had.
#include <csignal>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

struct Fault {
  const char* text;
  const char* place;  // line and column
  const char* word;   // of the explanation
};

// Line 2 of each holds the fault.
const Fault kFaults[] = {
    {"{\n  \"prob\": {}\n}\n", ":2:3: ", "probe"},
    {"{\n  \"steer\": true, \"steer\": false\n}\n", ":2:18: ", "duplicate"},
    {"{\n  \"probe\": {\"interval\": 200}\n}\n", ":2:25: ", "200ms"},
    {"{\n  \"routes\": {\"only\": [\"10.0.0.1/8\"]}\n}\n", ":2:23: ", "10.0.0.1/8"},
    {"{\n  \"steer\": yes\n}\n", ":2:", "steer"},
};

}  // namespace

TEST_CASE("a wrong configuration is refused with its place, and the old one stays", "[e2e]") {
  Router router(two_upstreams());
  const Json good = config_with_anchors(router.lab());
  router.start(good);
  const auto socket = router.lab().hopwise_socket().string();
  const auto path = router.lab().hopwise_config().string();
  auto stream = router.stream(Family::v4);

  std::uint64_t failures = 0;
  for (const Fault& fault : kFaults) {
    INFO(fault.text);
    router.write_config(fault.text);

    const auto checked = router.hopwise({"check", "-c", path});
    CHECK(checked.status == 2);
    CHECK_THAT(checked.output, Catch::Contains(path + fault.place));
    if (std::string(fault.word) != "steer") CHECK_THAT(checked.output, Catch::Contains(fault.word));

    const auto reloaded = router.hopwise({"reload", "--socket", socket});
    CHECK(reloaded.status != 0);
    CHECK_THAT(reloaded.output, Catch::Contains(fault.place));
    router.daemon().kill(SIGHUP);
    failures += 2;
    CHECK(lab::eventually(5s, [&] { return router.status()["reload_failures"] == failures; }));
    CHECK(router.nexthop(0, Family::v4)["name"] == "isp-a");
  }

  Json renamed = good;
  renamed["nexthops"][0]["name"] = "transit-a";
  router.write_config(renamed.dump(2));
  const auto reloaded = router.hopwise({"reload", "--socket", socket});
  INFO(reloaded.output);
  CHECK(reloaded.status == 0);
  CHECK(router.nexthop(0, Family::v4)["name"] == "transit-a");
  CHECK(router.status()["reloads"] == 1);
  CHECK(stream->stop().lost() == 0);
}

TEST_CASE("a second daemon in the same namespace is turned away, and harms nothing", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);
  auto stream = router.stream(Family::v4);
  const auto second = router.hopwise({"run", "--socket", "/tmp/hopwise-e2e-second.sock"});
  CHECK(second.status == 1);
  CHECK_THAT(second.output, Catch::Contains("another hopwise"));
  CHECK(router.status()["ready"] == true);
  CHECK(stream->stop().lost() == 0);
}
