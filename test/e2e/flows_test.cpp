// `hopwise flows` in the lab's router: what it lists is what flows, whoever is running.
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

// The stream's flows, by the tool's own words.
Json listed(Router& router, std::vector<std::string> more = {}) {
  std::vector<std::string> line{
      "flows",     "-j",      "--protocol", "udp",      "--source",
      "10.10.0.2", "--limit", "1000",       "--socket", router.lab().hopwise_socket().string()};
  line.insert(line.end(), more.begin(), more.end());
  const auto ran = router.hopwise(line);
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  return Json::parse(ran.output);
}

}  // namespace

TEST_CASE("hopwise flows lists what flows, with a daemon or without", "[e2e]") {
  Router router(two_upstreams());
  const auto early = router.hopwise({"flows"});
  CHECK(early.status == 1);
  CHECK_THAT(early.output, Catch::Contains("no hopwise has run in this network namespace"));

  router.start(config_with_anchors(router.lab()));
  auto stream = router.stream(Family::v4);
  REQUIRE(lab::eventually(5s, [&] { return stream->counts().received > 500; }));
  const Json flows = listed(router);
  REQUIRE(flows["matched"] > 1);
  std::set<std::string> nexthops;
  for (const Json& flow : flows["flows"]) {
    nexthops.insert(flow["nexthop"].get<std::string>());
    CHECK(flow["destination"] == "203.0.113.9");
    CHECK(flow["forward_packets"] > 0);
  }
  CHECK(nexthops == std::set<std::string>{"isp-a", "isp-b"});

  const Json first = listed(router, {"--nexthop", "isp-a"});
  const Json second = listed(router, {"--nexthop", "isp-b"});
  CHECK(first["matched"].get<int>() + second["matched"].get<int>() == flows["matched"].get<int>());

  const auto wrong = router.hopwise({"flows", "--sort", "size"});
  CHECK(wrong.status == 2);
  CHECK_THAT(wrong.output, Catch::Contains("--sort: \"size\" is no order"));

  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  const Json later = listed(router);
  CHECK(later["matched"] == flows["matched"]);
  CHECK(later["flows"][0]["nexthop"].is_null());
  CHECK(later["flows"][0]["nexthop_id"].is_number());
  const auto table = router.hopwise({"flows", "--limit", "1"});
  CHECK(table.status == 0);
  CHECK_THAT(table.output, Catch::Contains("the first 1, by bytes"));
  stream->stop();
}
