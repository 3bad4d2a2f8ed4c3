// Rules of the kernel that a redirected packet would skip: hopwise does not steer past them unless
// the operator says so, and hears of them as they come and go. Where they are there from the start,
// it marks packets instead, and obeys them.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

struct Policy {
  const char* set;
  const char* unset;
  const char* told;  // by status
};

const Policy kPolicies[] = {
    {"nft add table inet t && nft add chain inet t f '{ type filter hook forward priority 0; "
     "policy "
     "drop; }'",
     "nft delete table inet t", "nftables inet t f"},
    {"nft add table netdev t && nft add chain netdev t i '{ type filter hook ingress device lan0 "
     "priority 0; }' && nft add rule netdev t i udp dport 9 drop",
     "nft delete table netdev t", "nftables netdev t i"},
    {"ip rule add from 10.10.0.2 priority 100 unreachable", "ip rule del priority 100",
     "ip rule 100"},
    {"ip -6 rule add from fd00:10::2 priority 100 lookup 77", "ip -6 rule del priority 100",
     "ip -6 rule 100"},
    {"ip xfrm policy add dir fwd src 10.10.0.0/24 dst 203.0.113.0/24 action block",
     "ip xfrm policy flush", "ip xfrm policy"},
    {"echo 1 > /proc/sys/net/ipv4/conf/lan0/rp_filter",
     "echo 0 > /proc/sys/net/ipv4/conf/lan0/rp_filter", "rp_filter lan0"},
};

}  // namespace

TEST_CASE("rules that are there from the start are obeyed by marks, and steering goes on",
          "[e2e]") {
  for (const Policy& policy : kPolicies) {
    INFO(policy.set);
    lab::Topology topology = two_upstreams();
    topology.router = lab::Daemon::none;
    for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
    Router router(topology);
    REQUIRE(router.lab().router().run({"sh", "-c", policy.set}));
    router.start(config_with_anchors(router.lab()));
    const Json status = router.status();
    CHECK(status["actuator"] == "mark");
    CHECK_THAT(std::string(status["actuator_because"]), Catch::Contains(policy.told));
  }
}

TEST_CASE("a policy rule behind our own holds steering by marks too", "[e2e]") {
  Router router(two_upstreams());
  Json config = config_with_anchors(router.lab());
  config["dataplane"]["actuator"] = "mark";
  router.start(config);
  REQUIRE(router.lab().router().run({"ip", "rule", "add", "priority", "6000", "lookup", "77"}));
  CHECK(lab::eventually(5s, [&] {
    const std::string because = router.status()["not_ready_because"].is_string()
                                    ? router.status()["not_ready_because"]
                                    : "";
    return because.find("marked packets would skip \"ip rule 6000\"") != std::string::npos;
  }));
  REQUIRE(router.lab().router().run({"ip", "rule", "del", "priority", "6000"}));
  CHECK(lab::eventually(5s, [&] { return router.status()["ready"] == true; }));
}

TEST_CASE("steering is held while redirected packets would skip rules of the kernel", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  const auto in_router = [&](const char* line) {
    const auto ran = router.lab().router().run({"sh", "-c", line});
    INFO(line);
    REQUIRE(ran);
  };
  for (const Policy& policy : kPolicies) {
    INFO(policy.set);
    in_router(policy.set);
    CHECK(lab::eventually(5s, [&] {
      const Json status = router.status();
      return status["ready"] == false && status["lease_remaining_s"] == 0 &&
             std::string(status["not_ready_because"]).find(policy.told) != std::string::npos;
    }));
    in_router(policy.unset);
    CHECK(lab::eventually(5s, [&] { return router.status()["ready"] == true; }));
  }
}

TEST_CASE("a rule that drops goes on dropping, until the operator lets steering skip it", "[e2e]") {
  Router router(two_upstreams());
  REQUIRE(router.lab().router().run(
      {"sh", "-c",
       "nft add table inet t && nft add chain inet t f '{ type filter hook forward priority 0; }' "
       "&& nft add rule inet t f udp dport 5003 drop"}));
  Json config = config_with_anchors(router.lab());
  config["dataplane"]["actuator"] = "redirect";
  auto held = router.lab().start_hopwise({HOPWISE_BINARY, config.dump(), {}}).value();
  REQUIRE(lab::eventually(10s, [&] { return router.lab().api_get("/api/v1/status").has_value(); }));
  auto stream = router.stream(Family::v4);
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().sent > 500; }));
  CHECK(stream->stop().received == 0);
  stream.reset();
  held.stop();

  config["bypass_policy"] = true;
  router.start(config);
  stream = router.stream(Family::v4);
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > 500; }));
  CHECK(stream->stop().lost() == 0);
}
