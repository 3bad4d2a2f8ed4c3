// The daemon in the lab's router: starts without a configuration, survives what happens to it, and
// moves traffic when routing, links or measurements say so.
#include <csignal>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr std::uint16_t kStream4 = 5003;
constexpr std::uint16_t kStream6 = 5006;

// Promises of the product: how long traffic may be lost after routing or a link has said so.
constexpr int kPacketsPerSecond = 1000;
constexpr std::uint64_t kPacketsWhileMoving = kPacketsPerSecond / 2;  // half a second

std::uint16_t stream_port(Family family) {
  return family == Family::v4 ? kStream4 : kStream6;
}

}  // namespace

TEST_CASE("without a configuration every multipath route is steered, both families", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);

  const Json status = router.status();
  CHECK(status["routes_steered"] == 2);
  CHECK(status["nexthops"].size() == 4);
  for (const Json& interface : status["interfaces"])
    CHECK(interface["role"] == (interface["name"] == "lan0" ? "lan" : "wan"));
  CHECK(status["interfaces"].size() == 3);

  for (const Family family : {Family::v4, Family::v6}) {
    const auto steered_before = router.packets("steered");
    auto stream = router.stream(family);
    REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > 2000; }));
    const auto counts = stream->stop();
    CHECK(counts.lost() == 0);
    CHECK(counts.duplicated == 0);
    CHECK(router.packets("steered") - steered_before >= counts.received);
    // Both paths carry some: 16 flows over weights near one half.
    CHECK(router.delivered(0, stream_port(family)) > 0);
    CHECK(router.delivered(1, stream_port(family)) > 0);
  }
}

TEST_CASE("explain names the nexthop that the flow's packets really take", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  for (int port = 40000; port < 40008; ++port) {
    const Json answer =
        router.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&sport=" + std::to_string(port) +
                       "&dport=" + std::to_string(port));
    const std::string nexthop = answer["nexthop"];
    REQUIRE((nexthop == "isp-a" || nexthop == "isp-b"));
    const std::size_t expected = nexthop == "isp-a" ? 0 : 1;
    const auto service = static_cast<std::uint16_t>(port);
    const auto before = router.delivered(expected, service);
    router.lab().client().run({"bash", "-c",
                               "exec 3<>/dev/null; echo x | socat - UDP4:203.0.113.9:" +
                                   std::to_string(port) + ",sourceport=" + std::to_string(port)});
    CHECK(lab::eventually(2s, [&] { return router.delivered(expected, service) == before + 1; }));
    CHECK(router.delivered(1 - expected, service) == 0);
  }
  const auto printed = router.hopwise({"explain", "10.10.0.2", "203.0.113.9", "tcp", "40000", "443",
                                       "--socket", router.lab().hopwise_socket().string()});
  CHECK(printed.status == 0);
  CHECK_THAT(printed.output, Catch::Contains("203.0.113.0/24"));
}

TEST_CASE("a killed daemon costs no packet, nor does its successor", "[e2e]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  Router router(two_upstreams());
  router.start(std::nullopt);
  auto stream = router.stream(family);
  REQUIRE(lab::eventually(5s, [&] { return stream->counts().received > 500; }));

  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  // The kernel's routes rule when the lease is over; the stream goes on all the while.
  const auto at_kill = stream->counts().received;
  REQUIRE(lab::eventually(20s, [&] { return stream->counts().received > at_kill + 8000; }));

  router.start(std::nullopt);
  CHECK(router.packets("lease_over") > 0);
  const auto steered = router.packets("steered");
  REQUIRE(lab::eventually(10s, [&] { return router.packets("steered") > steered + 2000; }));

  router.daemon().kill(SIGKILL);  // once more, and at once again
  router.daemon().wait(2s);
  router.start(std::nullopt);
  router.daemon().stop();  // and the gentle way
  const auto counts = stream->stop();
  CHECK(counts.lost() == 0);
  CHECK(counts.duplicated == 0);
}

TEST_CASE("flows keep their nexthop across a restart", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  auto stream = router.stream(Family::v4);
  REQUIRE(lab::eventually(5s, [&] { return stream->counts().received > 500; }));
  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  router.start(config_with_anchors(router.lab()));
  const auto a = router.delivered(0, kStream4);
  const auto b = router.delivered(1, kStream4);
  const double share = static_cast<double>(a) / static_cast<double>(a + b);
  const auto received = stream->counts().received;
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > received + 3000; }));
  const auto counts = stream->stop();
  CHECK(counts.reordered == 0);  // 10 ms against 15 ms: a flow that moved back would reorder
  const double later =
      static_cast<double>(router.delivered(0, kStream4) - a) /
      static_cast<double>(router.delivered(0, kStream4) - a + router.delivered(1, kStream4) - b);
  CHECK(later == Approx(share).margin(0.01));
}

TEST_CASE("weights that a daemon has learned are the next one's first", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  REQUIRE(lab::eventually(60s, [&] { return router.weight(0, Family::v4) > 0.58; }));
  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  router.start(config_with_anchors(router.lab()));
  CHECK(router.weight(0, Family::v4) > 0.55);  // routing's own is 0.5
}

TEST_CASE("a withdrawn route moves everything, and its return brings it back", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  auto stream = router.stream(Family::v4, kPacketsPerSecond);
  REQUIRE(lab::eventually(5s, [&] { return stream->counts().received > 500; }));

  REQUIRE(router.lab().withdraw(0));
  REQUIRE(router.lab().wait_until_offered({1}, 5s));
  const auto on_a = [&] { return router.delivered(0, kStream4); };
  const auto received = [&] { return stream->counts().received; };
  // What was on its way arrives; then nothing more takes the withdrawn path.
  const auto settled = received() + kPacketsWhileMoving;
  REQUIRE(lab::eventually(5s, [&] { return received() > settled; }));
  const auto a_after = on_a();
  REQUIRE(lab::eventually(5s, [&] { return received() > settled + 1000; }));
  CHECK(on_a() == a_after);
  CHECK(router.status()["routes_steered"] == 0);

  REQUIRE(router.lab().announce(0));
  REQUIRE(router.lab().wait_until_offered({0, 1}, 20s));
  REQUIRE(lab::eventually(5s, [&] { return router.status()["routes_steered"] == 2; }));
  CHECK(stream->stop().lost() == 0);
}

TEST_CASE("a link that goes down loses at most what half a second carries", "[e2e]") {
  Router router(two_upstreams());
  router.start(config_with_anchors(router.lab()));
  auto stream = router.stream(Family::v4, kPacketsPerSecond);
  REQUIRE(lab::eventually(5s, [&] { return stream->counts().received > 500; }));

  REQUIRE(router.lab().set_wan_link(0, lab::LinkState::down));
  const auto received = stream->counts().received;
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > received + 2000; }));
  const auto counts = stream->stop();
  CHECK(counts.lost() < kPacketsWhileMoving);

  REQUIRE(router.lab().set_wan_link(0, lab::LinkState::up));
  REQUIRE(router.lab().wait_until_offered({0, 1}, 60s));
  CHECK(lab::eventually(20s, [&] { return router.weight(0, Family::v4) > 0.05; }));
}

// By default the kernel keeps a leg without carrier in a fixed route, and hashes traffic into it.
TEST_CASE("a link without carrier loses little where the kernel goes on using it", "[e2e]") {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  Router router(topology);
  const auto& kernel = router.lab().router();
  for (const std::string device : {"all", "wan0", "wan1"})
    for (const std::string family : {"ipv4", "ipv6"})
      REQUIRE(
          kernel.sysctl("net/" + family + "/conf/" + device + "/ignore_routes_with_linkdown", "0"));
  router.start(std::nullopt);
  for (const Family family : {Family::v4, Family::v6}) {
    auto stream = router.stream(family, kPacketsPerSecond);
    const auto received = [&] { return stream->counts().received; };
    REQUIRE(lab::eventually(5s, [&] { return received() > 500; }));

    REQUIRE(router.lab().set_wan_link(0, lab::LinkState::down));
    const auto route = [&] {
      return kernel
          .run({"ip", family == Family::v4 ? "-4" : "-6", "route", "show", "root",
                family == Family::v4 ? "203.0.113.0/24" : "2001:db8:113::/48"})
          .value();
    };
    REQUIRE(lab::eventually(5s, [&] { return route().find("linkdown") != std::string::npos; }));
    CHECK_THAT(route(), !Catch::Contains("dead"));
    const auto cut = received();
    REQUIRE(lab::eventually(15s, [&] { return received() > cut + 5000; }));
    CHECK(router.status()["routes_steered"] == 2);
    CHECK(stream->stop().lost() < kPacketsWhileMoving);
    REQUIRE(router.lab().set_wan_link(0, lab::LinkState::up));
    REQUIRE(lab::eventually(5s, [&] { return route().find("linkdown") == std::string::npos; }));
  }
}

TEST_CASE("two gateways on one interface are measured apart and steered apart", "[e2e]") {
  lab::Topology topology = two_upstreams();
  topology.wan = lab::Wan::shared;
  topology.upstreams[1].impairment.delay = 60ms;  // slow from the start
  Router router(topology);
  router.start(config_with_anchors(router.lab()));

  for (const Family family : {Family::v4, Family::v6}) {
    REQUIRE(lab::eventually(10s, [&] {
      const Json fast = router.nexthop(0, family);
      const Json slow = router.nexthop(1, family);
      return fast["rtt_ms"].is_number() && slow["rtt_ms"].is_number();
    }));
    CHECK(router.nexthop(0, family)["interface"] == router.nexthop(1, family)["interface"]);
    CHECK(router.nexthop(0, family)["rtt_ms"] < 60.0);    // 20 ms emulated
    CHECK(router.nexthop(1, family)["rtt_ms"] >= 119.0);  // 120 ms emulated
  }

  // Once its usual delay is known it grows worse: new flows leave it, and only it.
  for (const Family family : {Family::v4, Family::v6})
    REQUIRE(lab::eventually(
        10s, [&] { return router.nexthop(1, family)["probes"][0]["received"] > 25; }));
  router.lab().relay().set(router.lab().core_link(1), {.delay = 120ms});
  for (const Family family : {Family::v4, Family::v6})
    CHECK(lab::eventually(10s, [&] { return router.weight(1, family) < 0.05; }));
  auto stream = router.stream(Family::v4);
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > 2000; }));
  CHECK(stream->stop().lost() == 0);
  CHECK(router.delivered(0, kStream4) > 9 * router.delivered(1, kStream4));
}

TEST_CASE("detach removes all that a killed daemon left", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);
  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  const auto rules = [&] {
    return router.lab().router().run({"ip", "rule"}).value() +
           router.lab().router().run({"ip", "-6", "rule"}).value();
  };
  CHECK_THAT(rules(), Catch::Contains("5200:"));

  const auto first = router.hopwise({"detach"});
  INFO(first.output);
  CHECK(first.status == 0);
  CHECK_THAT(first.output, Catch::Contains("lan0"));
  CHECK_THAT(rules(), !Catch::Contains("5200:"));
  const auto second = router.hopwise({"detach"});
  CHECK(second.status == 0);
  CHECK_THAT(second.output, Catch::Contains("nothing"));
}
