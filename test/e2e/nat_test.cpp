// A router that masquerades, as most with several uplinks do: hopwise finds the NAT, marks packets
// instead of redirecting them, and each flow keeps the address it got, for life.
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr std::uint16_t kOld = 5003;
constexpr std::uint16_t kNew = 5013;

// Each upstream drops what does not come from the address that it gave out (BCP 38): a flow that
// leaves by the other uplink than its address says is lost.
void set_up_nat(Router& router) {
  REQUIRE(router.lab().router().run(
      {"sh", "-c",
       "nft add table ip nat && nft add chain ip nat post '{ type nat hook postrouting priority "
       "100; }' && nft add rule ip nat post oifname 'wan*' masquerade"}));
  for (std::size_t i = 0; i < 2; ++i)
    REQUIRE(router.lab().upstream(i).run(
        {"sh", "-c",
         "nft add table ip t && nft add chain ip t f '{ type filter hook forward priority 0; }' && "
         "nft add rule ip t f iifname eth0 ip saddr != 10.99." +
             std::to_string(i) + ".1 drop"}));
}

std::unique_ptr<lab::PacketStream> stream(Router& router, std::uint16_t port) {
  lab::StreamPlan plan;
  plan.server = *IpAddress::parse(lab::kService4);
  plan.port = port;
  auto started = lab::PacketStream::start(router.lab().client(), router.lab().server(), plan);
  if (!started) FAIL(started.error().message);
  return std::move(*started);
}

/// The path over upstream i, of the group that carries IPv4.
Json path(const Router& router, std::size_t i) {
  const Json now = router.status();
  const Json id = router.nexthop(i, Family::v4)["id"];
  for (const Json& group : now["groups"])
    for (const Json& one : group["paths"])
      if (one["nexthop_id"] == id) return one;
  return {};
}

}  // namespace

TEST_CASE("behind NAT a flow keeps its source address for life, and new ones follow the weights",
          "[e2e]") {
  Router router(two_upstreams());
  set_up_nat(router);
  router.start(config_with_anchors(router.lab()));
  const Json status = router.status();
  CHECK(status["actuator"] == "mark");
  CHECK_THAT(std::string(status["actuator_because"]), Catch::Contains("nftables ip nat post"));
  std::set<std::string> roles;
  for (const Json& interface : status["interfaces"])
    roles.insert(std::string(interface["name"]) + ' ' + std::string(interface["role"]));
  const std::set<std::string> wanted{"lan0 lan", "lan0 lan_return"};
  CHECK(roles == wanted);

  const auto steered = router.packets("steered");
  auto old = stream(router, kOld);
  REQUIRE(lab::eventually(20s, [&] { return old->counts().received > 2000; }));
  CHECK(router.packets("steered") > steered + 1000);
  CHECK(router.delivered(0, kOld) > 0);
  CHECK(router.delivered(1, kOld) > 0);

  // A brownout that BGP cannot see.
  router.lab().relay().set(router.lab().core_link(1), {.delay = 120ms});
  REQUIRE(lab::eventually(20s, [&] { return router.weight(1, Family::v4) < 0.05; }));
  const auto b = router.delivered(1, kOld);
  auto fresh = stream(router, kNew);
  REQUIRE(lab::eventually(20s, [&] { return fresh->counts().received > 2000; }));
  CHECK(router.delivered(1, kOld) > b + 200);  // the old ones stay where they are
  CHECK(router.delivered(0, kNew) > 9 * router.delivered(1, kNew));
  for (auto* one : {&old, &fresh}) {
    const auto counts = (*one)->stop();
    CHECK(counts.lost() == 0);
    CHECK(counts.moved == 0);
    CHECK(counts.reordered == 0);
  }
}

TEST_CASE("behind NAT the traffic's own round-trip times are measured", "[e2e]") {
  Router router(two_upstreams());
  set_up_nat(router);
  router.start(config_with_anchors(router.lab()));
  auto server = router.lab()
                    .start(router.lab().server(), {"iperf3", "-s", "-p", "5210"}, "iperf-server")
                    .value();
  const auto measured = [&](std::size_t i) { return path(router, i)["passive"].is_object(); };
  // Each run is two connections, on whichever path their buckets hold.
  CHECK(lab::eventually(60s, [&] {
    static_cast<void>(router.lab().client().run(
        {"iperf3", "-c", lab::kService4, "-p", "5210", "-t", "1", "-b", "5M", "-P", "4"}));
    return measured(0) && measured(1);
  }));
  for (std::size_t i = 0; i < 2; ++i) {
    const Json one = path(router, i);
    INFO(one.dump(2));
    const double there_and_back = i == 0 ? 20 : 30;
    CHECK(one["passive"]["p10_ms"] > there_and_back - 2);
    CHECK(one["passive"]["p10_ms"] < there_and_back + 20);
    CHECK(one["segments"] > 50);
    CHECK(one["reverse_packets"] > 50);
  }
}

TEST_CASE("when another program removes the rules of marks, they are back at once", "[e2e]") {
  Router router(two_upstreams());
  set_up_nat(router);
  router.start(config_with_anchors(router.lab()));
  auto old = stream(router, kOld);
  REQUIRE(lab::eventually(20s, [&] { return old->counts().received > 1000; }));
  const auto rules = [&] { return router.lab().router().run({"ip", "rule"}).value(); };
  const std::string before = rules();
  CHECK_THAT(before, Catch::Contains("5200:"));
  REQUIRE(router.lab().router().run({"sh", "-c",
                                     "ip rule flush; ip rule add lookup main pref 32766; ip rule "
                                     "add lookup default pref 32767"}));
  CHECK(lab::eventually(5s, [&] { return rules() == before; }));
  REQUIRE(lab::eventually(20s, [&] { return router.status()["ready"] == true; }));
  const auto received = old->counts().received;
  REQUIRE(lab::eventually(20s, [&] { return old->counts().received > received + 2000; }));
  // While there were no rules the kernel chose, and masqueraded anew: some milliseconds.
  CHECK(old->stop().lost() < 100);
}

TEST_CASE("behind NAT the large datagrams of a flow keep its source address", "[e2e]") {
  Router router(two_upstreams());
  set_up_nat(router);
  router.start(config_with_anchors(router.lab()));
  lab::StreamPlan plan;
  plan.server = *IpAddress::parse(lab::kService4);
  plan.port = kOld;
  plan.large_bytes = 4000;
  auto stream =
      lab::PacketStream::start(router.lab().client(), router.lab().server(), plan).value();
  REQUIRE(lab::eventually(20s, [&] { return stream->counts().received > 4000; }));
  CHECK(router.packets("fragment") > 1000);
  CHECK(router.delivered(0, kOld) > 0);
  CHECK(router.delivered(1, kOld) > 0);
  const auto counts = stream->stop();
  CHECK(counts.lost() == 0);
  CHECK(counts.moved == 0);
}

TEST_CASE("connections that NAT bound before the daemon began survive its start", "[e2e]") {
  Router router(two_upstreams());
  set_up_nat(router);
  auto server = router.lab()
                    .start(router.lab().server(), {"iperf3", "-s", "-p", "5210"}, "iperf-server")
                    .value();
  std::this_thread::sleep_for(500ms);  // a client that finds no server ends with an error
  auto client =
      router.lab()
          .start(router.lab().client(),
                 {"iperf3", "-c", lab::kService4, "-p", "5210", "-t", "12", "-b", "1M", "-P", "8"},
                 "iperf-client")
          .value();
  REQUIRE(lab::eventually(10s, [&] {
    return router.lab().client().run({"sh", "-c", "ss -Htn state established | wc -l"}).value() >=
           "9";
  }));
  router.start(config_with_anchors(router.lab()));
  CHECK(lab::eventually(10s, [&] { return router.packets("unknown_flow") > 100; }));
  const auto status = client.wait(30s);
  INFO(client.log());
  CHECK(status == 0);
}

TEST_CASE("behind NAT a restart within the lease costs no flow its address", "[e2e]") {
  const int signal = GENERATE(SIGTERM, SIGKILL);
  INFO("signal " << signal);
  Router router(two_upstreams());
  set_up_nat(router);
  Json config = config_with_anchors(router.lab());
  config["dataplane"]["lease"] = "30s";  // a busy machine may take longer than 5 s to start it
  router.start(config);
  auto old = stream(router, kOld);
  REQUIRE(lab::eventually(20s, [&] { return old->counts().received > 2000; }));
  REQUIRE(router.delivered(0, kOld) > 0);
  REQUIRE(router.delivered(1, kOld) > 0);
  for (int i = 0; i < 2; ++i) {
    router.daemon().kill(signal);
    router.daemon().wait(5s);
    router.start(config);
    const auto received = old->counts().received;
    REQUIRE(lab::eventually(20s, [&] { return old->counts().received > received + 2000; }));
    CHECK(router.packets("steered") > 0);
  }
  const auto counts = old->stop();
  CHECK(counts.lost() == 0);
  CHECK(counts.moved == 0);
  router.daemon().stop();
  CHECK(router.hopwise({"detach"}).status == 0);
  CHECK_THAT(router.lab().router().run({"ip", "rule"}).value(), !Catch::Contains("5200:"));
}

TEST_CASE("behind NAT a flap of an uplink or its neighbour moves no flow", "[e2e]") {
  Router router(two_upstreams());
  set_up_nat(router);
  router.start(config_with_anchors(router.lab()));
  auto old = stream(router, kOld);
  REQUIRE(lab::eventually(20s, [&] { return old->counts().received > 2000; }));
  const auto b = router.delivered(1, kOld);
  REQUIRE(b > 0);
  // The path goes dead for a moment, and its neighbour is lost.
  router.lab().relay().set(router.lab().core_link(1), {.delay = 15ms, .loss = 1});
  CHECK(lab::eventually(20s, [&] { return router.packets("held") > 100; }));
  const std::string gateway = router.lab().gateway(1, Family::v4).value().text();
  for (int i = 0; i < 5; ++i)
    REQUIRE(router.lab().router().run(
        {"ip", "neigh", "change", gateway, "dev", router.lab().wan_device(1), "nud", "failed"}));
  router.lab().relay().set(router.lab().core_link(1), {.delay = 15ms});
  CHECK(lab::eventually(20s, [&] { return router.delivered(1, kOld) > b + 1000; }));
  CHECK(old->stop().moved == 0);
}
