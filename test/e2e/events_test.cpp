// The history: `hopwise events -f` tells of a brownout while it happens, and goes on when the
// daemon was killed and started again; without a daemon the file tells.
#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

TEST_CASE("events follow a brownout, and a daemon that is killed and comes back", "[e2e][events]") {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  Router router(topology);
  const std::string file = router.lab().folder() / "events.jsonl";
  Json config = config_with_anchors(router.lab());
  config["history"]["file"] = file;
  router.start(config);
  const std::string socket = router.lab().hopwise_socket();
  const std::string configured = router.lab().hopwise_config();
  auto follower =
      router.lab()
          .start(router.lab().router(),
                 {HOPWISE_BINARY, "events", "-f", "-s", socket, "-c", configured}, "events")
          .value();
  const auto told = [&](const std::string& what) {
    return lab::eventually(30s, [&] { return follower.log().find(what) != std::string::npos; });
  };
  const auto is_up = [&] {
    for (const Json& nexthop : router.status()["nexthops"])
      if (nexthop["state"] != "up") return false;
    return true;
  };
  CHECK(told("daemon     start"));
  CHECK(told("probation > up"));
  CHECK(lab::eventually(30s, is_up));
  router.lab().relay().set(router.lab().core_link(0), {.delay = 80ms});
  CHECK(told("path_degraded"));
  CHECK(told("isp-a      state                up > degraded"));

  const auto last_of = [&] {
    return Json::parse(router.lab().api_get("/api/v1/events?limit=1").value())["last"]
        .get<std::uint64_t>();
  };
  const std::uint64_t last = last_of();
  router.daemon().kill(SIGKILL);
  CHECK(told("waiting for it"));
  const auto from_file =
      router.hopwise({"events", "--reason", "path_degraded", "-s", socket, "-c", configured});
  INFO(from_file.output);
  CHECK(from_file.status == 0);
  CHECK(from_file.output.find("these are from " + file) != std::string::npos);
  CHECK(from_file.output.find("path_degraded") != std::string::npos);

  router.start(config);
  CHECK(told("the daemon answers"));
  CHECK(last_of() > last);
  const auto starts = router.hopwise({"events", "--kind", "start", "-j", "-s", socket});
  CHECK(std::count(starts.output.begin(), starts.output.end(), '\n') == 2);
  const auto explained = router.hopwise({"explain", "1", "-s", socket});
  INFO(explained.output);
  CHECK(explained.status == 0);
  CHECK(explained.output.find("policy") != std::string::npos);
  CHECK(explained.output.find("WANTED") != std::string::npos);
  INFO(follower.log());
  CHECK(router.lab().api_get("/api/v1/groups?id=1").has_value());
}
