// Anchors of several kinds from the configuration to the probes, the metrics and the command line,
// and their change by a reload.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr const char* kTcp = "tcp://203.0.113.9:5210";

lab::Topology plain_upstreams() {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  return topology;
}

/// The IPv4 nexthops alone, each with these anchors.
Json with_anchors(const lab::Lab& lab, const Json& anchors) {
  Json config = config_with_anchors(lab);
  std::erase_if(config["nexthops"].get_ref<Json::array_t&>(), [](const Json& nexthop) {
    return nexthop["name"].get<std::string>().ends_with("-v6");
  });
  for (Json& nexthop : config["nexthops"]) nexthop["anchors"] = anchors;
  return config;
}

std::vector<std::string> anchors_of(const Json& nexthop) {
  std::vector<std::string> anchors;
  for (const Json& probe : nexthop["probes"]) anchors.push_back(probe["anchor"]);
  std::sort(anchors.begin(), anchors.end());
  return anchors;
}

/// Replies to the probes of one anchor through the nexthop.
std::uint64_t replies(const Json& nexthop, const std::string& anchor) {
  for (const Json& probe : nexthop["probes"])
    if (probe["anchor"] == anchor) return probe["received"];
  return 0;
}

std::string labels(const std::string& target, const std::string& protocol) {
  return R"({nexthop="isp-a",target=")" + target + R"(",protocol=")" + protocol + "\"}";
}

}  // namespace

TEST_CASE("a reload changes the anchors live, in the metrics and at the command line too",
          "[e2e][probes]") {
  Router router(plain_upstreams());
  router.start(with_anchors(router.lab(), {lab::kAnchor4, lab::kService4}));
  const auto socket = router.lab().hopwise_socket().string();
  const auto probes = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"probes", "--socket", socket});
    return router.hopwise(more);
  };
  const auto metrics = [&] { return router.lab().api_get("/metrics").value(); };
  const auto isp_a = [&] { return router.nexthop(0, Family::v4); };
  using Texts = std::vector<std::string>;

  REQUIRE(lab::eventually(20s, [&] {
    return replies(isp_a(), lab::kAnchor4) > 5 && replies(isp_a(), lab::kService4) > 5;
  }));
  CHECK(anchors_of(isp_a()) == Texts{lab::kAnchor4, lab::kService4});
  const auto kept = replies(isp_a(), lab::kAnchor4);

  const auto all = probes({});
  INFO(all.output);
  CHECK(all.status == 0);
  CHECK_THAT(all.output, Catch::Contains("isp-a") && Catch::Contains("isp-b") &&
                             Catch::Contains(lab::kService4) && Catch::Contains("6 probers"));
  const auto of_one = Json::parse(probes({"isp-b", "-j"}).output);
  CHECK(of_one["probes"].size() == 2);
  CHECK(of_one["probes"][0]["nexthop"] == "isp-b");
  const auto nobody = probes({"isp-c"});
  CHECK(nobody.status == 1);
  CHECK_THAT(nobody.output, Catch::Contains("\"isp-c\" is no nexthop") && Catch::Contains("isp-b"));
  CHECK_THAT(metrics(),
             Catch::Contains("hopwise_probe_rtt_seconds_count" + labels(lab::kService4, "icmp")));

  // The service's address leaves the list and a new anchor comes: what stays goes on counting.
  router.write_config(with_anchors(router.lab(), {lab::kAnchor4, "203.0.113.10"}).dump(2));
  const auto reloaded = router.hopwise({"reload", "--socket", socket});
  INFO(reloaded.output);
  REQUIRE(reloaded.status == 0);
  REQUIRE(lab::eventually(20s, [&] { return replies(isp_a(), "203.0.113.10") > 5; }));
  CHECK(anchors_of(isp_a()) == Texts{lab::kAnchor4, "203.0.113.10"});
  CHECK(replies(isp_a(), lab::kAnchor4) > kept);
  const std::string page = metrics();
  CHECK_THAT(page, Catch::Contains("hopwise_probe_sent_total" + labels("203.0.113.10", "icmp")) &&
                       Catch::Contains("hopwise_probe_void_total{nexthop=\"isp-a\"") &&
                       !Catch::Contains("target=\"" + std::string(lab::kService4) + '"'));

  // What is wrong with an anchor is told, and nothing changes.
  router.write_config(with_anchors(router.lab(), {"tcp://203.0.113.9"}).dump(2));
  const auto refused = router.hopwise({"reload", "--socket", socket});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.output, Catch::Contains("has no port"));
  CHECK(anchors_of(isp_a()) == Texts{lab::kAnchor4, "203.0.113.10"});
}

TEST_CASE("the list for all serves nexthops that the configuration does not name",
          "[e2e][probes]") {
  Router router(plain_upstreams());
  router.start(Json{{"probe", {{"anchors", {lab::kAnchor4, lab::kAnchor6}}}}});
  for (const Family family : {Family::v4, Family::v6}) {
    const std::string anchor = family == Family::v4 ? lab::kAnchor4 : lab::kAnchor6;
    REQUIRE(lab::eventually(20s, [&] { return replies(router.nexthop(0, family), anchor) > 5; }));
    CHECK(anchors_of(router.nexthop(1, family)) == std::vector<std::string>{anchor});
  }
}

// Anchors of other kinds than ICMP.
TEST_CASE("an anchor of kind tcp is answered by an open port and by a closed one",
          "[e2e][probes][tcp]") {
  Router router(plain_upstreams());
  router.start(with_anchors(router.lab(), {lab::kAnchor4, kTcp}));
  const auto answered = [&] { return replies(router.nexthop(0, Family::v4), kTcp); };
  REQUIRE(lab::eventually(20s, [&] { return answered() > 10; }));  // nobody listens: RST
  const Json probe = router.nexthop(0, Family::v4)["probes"][1];
  CHECK(probe["kind"] == "tcp");
  CHECK(probe["lost"] == 0);
  auto server = router.lab()
                    .start(router.lab().server(), {"iperf3", "-s", "-p", "5210"}, "iperf-server")
                    .value();
  const auto before = answered();
  REQUIRE(lab::eventually(20s, [&] { return answered() > before + 10; }));
  CHECK_THAT(router.lab().api_get("/metrics").value(),
             Catch::Contains("hopwise_probe_received_total" + labels(kTcp, "tcp")));
  const auto flows = router.hopwise(
      {"probes", "isp-a", "--flows", "--socket", router.lab().hopwise_socket().string()});
  CHECK_THAT(flows.output, Catch::Contains(kTcp) && Catch::Contains("flow 3"));
}

TEST_CASE("packet trains go to a stamp anchor once a nexthop is up, and what they told is shown",
          "[e2e][probes][train]") {
  lab::Topology topology = plain_upstreams();
  for (auto& upstream : topology.upstreams) upstream.impairment.rate_bit_s = 50'000'000;
  Router router(topology);
  auto reflector =
      router.lab().start(router.lab().server(), {HOPWISE_BINARY, "reflect"}, "reflector").value();
  Json config = with_anchors(router.lab(), {"stamp://203.0.113.9:862"});
  config["probe"]["train"] = {{"every", "1m"}};
  router.start(config);
  for (const std::size_t upstream : {0, 1}) {
    Json trains;
    const bool measured = lab::eventually(20s, [&] {
      trains = router.nexthop(upstream, Family::v4)["trains"];
      return trains.contains("measured");
    });
    INFO(trains.dump() << '\n' << router.daemon().log());
    REQUIRE(measured);
    CHECK(trains == Json{{"measured", 1}});  // and no other within a minute
  }
  CHECK_THAT(
      router.lab().api_get("/metrics").value(),
      Catch::Contains(R"(hopwise_nexthop_trains_total{nexthop="isp-a",result="measured"} 1)"));
}
