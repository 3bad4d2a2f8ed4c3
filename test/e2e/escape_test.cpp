// A black hole that no probe sees: one upstream drops a service. The flows leave it by themselves.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

TEST_CASE("flows escape a black hole that probes do not see, and hopwise tells of it", "[e2e]") {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  Router router(topology);
  router.start(config_with_anchors(router.lab()));
  REQUIRE(router.status()["actuator"] == "redirect");
  REQUIRE(router.lab().upstream(0).run(
      {"sh", "-c",
       "nft add table ip t && nft add chain ip t f '{ type filter hook forward priority 0; }' && "
       "nft add rule ip t f tcp dport 5210 drop"}));
  auto server = router.lab()
                    .start(router.lab().server(), {"iperf3", "-s", "-p", "5210"}, "iperf-server")
                    .value();
  auto client =
      router.lab()
          .start(router.lab().client(),
                 {"iperf3", "-c", lab::kService4, "-p", "5210", "-t", "5", "-b", "1M", "-P", "16"},
                 "iperf-client")
          .value();
  const auto fled = [&](const Json& now) {
    const Json from = router.nexthop(0, Family::v4)["id"];
    for (const Json& group : now["groups"])
      for (const Json& path : group["paths"])
        if (path["nexthop_id"] == from) return path["escapes"].get<int>();
    return 0;
  };
  CHECK(lab::eventually(20s, [&] { return fled(router.status()) > 0; }));
  CHECK(lab::eventually(
      3s, [&] { return router.nexthop(0, Family::v4)["probes"][0]["suspicious"] == true; }));
  CHECK(lab::eventually(
      5s, [&] { return router.daemon().log().find("event=escapes") != std::string::npos; }));
  CHECK(router.status()["dataplane_events"]["escaped"] > 0);
  CHECK(client.wait(60s) == 0);  // every one of its connections came through
  CHECK(router.nexthop(0, Family::v4)["state"] != "down");
}
