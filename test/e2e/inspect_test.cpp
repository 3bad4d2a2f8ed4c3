// `hopwise verify`, `routes` and `nexthops` in the lab's router, beside FRR and BIRD.
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

std::vector<std::string> asking(Router& router, std::vector<std::string> line) {
  line.insert(line.end(), {"--socket", router.lab().hopwise_socket().string()});
  return line;
}

/// What `verify` says, whatever it is.
Json verified(Router& router, int status) {
  const auto ran = router.hopwise({"verify", "-j", "--wait", "2s"});
  INFO(ran.output);
  REQUIRE(ran.status == status);
  Json json = Json::parse(ran.output);
  CHECK(json["equal"] == (status == 0));
  return json;
}

std::vector<Json> routes(Router& router, const std::vector<std::string>& more) {
  std::vector<std::string> line{"routes", "-j"};
  line.insert(line.end(), more.begin(), more.end());
  const auto ran = router.hopwise(asking(router, line));
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  std::vector<Json> all;
  std::istringstream lines(ran.output);
  for (std::string one; std::getline(lines, one);) all.push_back(Json::parse(one));
  return all;
}

}  // namespace

TEST_CASE("routes, nexthops and verify tell what the router does, with a daemon or without",
          "[e2e]") {
  Router router(two_upstreams());
  CHECK(router.hopwise({"verify"}).status == 1);
  router.start(config_with_anchors(router.lab()));

  const Json fresh = verified(router, 0);
  CHECK(fresh["multipath"].get<int>() >= 2);
  CHECK(fresh["nexthops"].get<int>() == 4);
  CHECK(fresh["programs"].get<int>() >= 3);
  CHECK(fresh["lease_left_s"].get<double>() > 0);

  const auto match = routes(router, {lab::kService4});
  REQUIRE(match.size() == 1);
  CHECK(match[0]["group"].is_number());
  CHECK(match[0]["nexthops"].size() == 2);
  const std::string prefix = match[0]["prefix"];
  CHECK(routes(router, {prefix}) == match);
  CHECK(routes(router, {"--nexthop", "isp-a", "--family", "v4"}).size() >= 1);
  const auto all = routes(router, {});
  const auto kernels = routes(router, {"--left-to-kernel"});
  CHECK(all.size() == kernels.size() + routes(router, {"--steered"}).size());
  for (const Json& route : kernels) CHECK(!route["because"].get<std::string>().empty());
  const auto count = router.hopwise(asking(router, {"routes", "--count"}));
  CHECK(count.output == std::to_string(all.size()) + "\n");
  CHECK(router.hopwise(asking(router, {"routes", "--group", "4000"})).status == 1);
  CHECK(router.hopwise(asking(router, {"routes", "10.0.0.1/8"})).status == 2);

  const auto nexthops = router.hopwise(asking(router, {"nexthops", "-j"}));
  REQUIRE(nexthops.status == 0);
  for (const Json& nexthop : Json::parse(nexthops.output)["nexthops"]) {
    CHECK(nexthop["source"] == "kernel");
    CHECK(nexthop["routes"].get<int>() >= 1);
    CHECK(nexthop["neighbour_address"].is_string());
    CHECK(nexthop["state_age_s"].is_number());
  }
  CHECK_THAT(router.hopwise(asking(router, {"nexthops", "isp-a"})).output,
             Catch::Contains("isp-a  "));

  // Without a daemon nobody follows: what routing changes now is a difference.
  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  REQUIRE(router.lab().router().ip("route add blackhole 203.0.113.128/25").has_value());
  const Json dead = verified(router, 1);
  CHECK(dead["lease_left_s"].get<double>() <= 5);
  REQUIRE(dead["faults"].size() == 1);
  CHECK(dead["faults"][0]["fault"] == "stale_route");
  CHECK(dead["faults"][0]["examples"][0]["subject"] == "203.0.113.128/25");

  router.start(config_with_anchors(router.lab()));
  verified(router, 0);
  const auto own = routes(router, {"203.0.113.129"});
  REQUIRE(own.size() == 1);
  CHECK(own[0]["prefix"] == "203.0.113.128/25");
  CHECK(own[0]["group"].is_null());
}
