// A recording of the live daemon, and what `hopwise simulate` makes of it.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

TEST_CASE("a brownout that was recorded live is decided alike in the replay", "[e2e][record]") {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  Router router(topology);
  router.start(config_with_anchors(router.lab()));
  const std::string file = router.lab().folder() / "night.rec";
  const auto record = [&](std::vector<std::string> line) {
    line.insert(line.begin(), {"record", "-s", router.lab().hopwise_socket()});
    return router.hopwise(line);
  };
  CHECK(record({"--status"}).output == "nothing was recorded so far\n");
  CHECK(record({"--stop"}).status == 1);
  const auto nowhere = record({"/nowhere/night.rec"});
  INFO(nowhere.output);
  CHECK(nowhere.status == 1);
  CHECK(nowhere.output.find("record to /nowhere/night.rec: No such file") != std::string::npos);

  const std::string socket = router.lab().hopwise_socket();
  auto recorder = router.lab().start(router.lab().router(),
                                     {HOPWISE_BINARY, "record", "-s", socket, file}, "record");
  REQUIRE(recorder.has_value());
  REQUIRE(lab::eventually(
      10s, [&] { return record({"--status"}).output.find("recording") != std::string::npos; }));
  CHECK(record({file}).status == 1);  // one at a time
  // The estimates of a replay begin with the recording: give them their time.
  const auto recorded_s = [&] {
    const auto told = router.lab().api_get("/api/v1/record");
    return told ? Json::parse(*told).at("seconds").get<double>() : 0;
  };
  REQUIRE(lab::eventually(60s, [&] { return recorded_s() > 20; }));

  router.lab().relay().set(router.lab().core_link(0), {.delay = 60ms});
  REQUIRE(lab::eventually(20s, [&] { return router.weight(0, Family::v4) < 0.05; }));
  const auto stopped = record({"--stop"});
  INFO(stopped.output);
  CHECK(stopped.status == 0);
  CHECK(stopped.output.find("ended") != std::string::npos);
  CHECK(record({file}).output.find("nothing is overwritten") != std::string::npos);

  const auto text = router.hopwise({"simulate", file});
  INFO(text.output);
  CHECK(text.status == 0);
  const auto simulated = router.hopwise({"simulate", "-j", file, "--plot", file + ".svg"});
  REQUIRE(simulated.status == 0);
  const Json replay = Json::parse(simulated.output);
  CHECK(replay["ended"] == "stopped");
  CHECK(replay["from"] == "running");
  const auto fell = [&](const char* who) {
    for (const Json& decision : replay["decisions"])
      if (decision["reason"] == "path_degraded" && decision["cause"] == "isp-a" &&
          (decision["who"] == who || decision["who"] == "both"))
        return decision["at_s"].get<double>();
    return -1.0;
  };
  REQUIRE(fell("done") > 0);
  REQUIRE(fell("would") > 0);
  CHECK(fell("would") == Approx(fell("done")).margin(1));
  CHECK(router.hopwise({"simulate", file, "--plot", "x.png"}).status == 2);
}
