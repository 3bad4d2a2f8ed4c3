// What flows do when their nexthop turns bad: stay, leave in a pause, or leave by themselves; and
// those that hopwise leaves to the kernel, and those of the router itself.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"
#include "test/lab/traffic.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr std::uint16_t kStream4 = 5003;

// The share of the next `packets` stream packets that upstream 0 delivers.
double share_of_first(const Router& router, const lab::PacketStream& stream,
                      std::uint64_t packets) {
  const auto a = router.delivered(0, kStream4), b = router.delivered(1, kStream4);
  const auto until = stream.counts().received + packets;
  REQUIRE(lab::eventually(60s, [&] { return stream.counts().received > until; }));
  const auto on_a = router.delivered(0, kStream4) - a, on_b = router.delivered(1, kStream4) - b;
  return static_cast<double>(on_a) / static_cast<double>(on_a + on_b);
}

// Upstream 0 grows 70 ms longer; returns when the weights have left it.
void brown_out(Router& router) {
  REQUIRE(lab::eventually(
      10s, [&] { return router.nexthop(0, Family::v4)["probes"][0]["received"] > 25; }));
  router.lab().relay().set(router.lab().core_link(0), {.delay = 80ms});
  REQUIRE(lab::eventually(15s, [&] { return router.weight(0, Family::v4) < 0.1; }));
}

Json with(const lab::Lab& lab, const Json& dataplane) {
  Json config = config_with_anchors(lab);
  config["dataplane"] = dataplane;
  return config;
}

}  // namespace

TEST_CASE("in a brownout flows stay, or leave in their next pause, as the group says", "[e2e]") {
  const std::string affinity = GENERATE("flow", "flowlet", "bucket");
  Router router(two_upstreams());
  router.start(with(router.lab(), {{"affinity", affinity}}));
  // A packet of each flow every 400 ms: longer than the paths differ, so each is a flowlet.
  auto stream = router.stream(Family::v4, 40);
  const double before = share_of_first(router, *stream, 160);
  REQUIRE(before > 0.1);
  REQUIRE(before < 0.9);

  brown_out(router);
  const double after = share_of_first(router, *stream, 160);
  if (affinity == "flow")
    CHECK(after == Approx(before).margin(0.03));
  else
    CHECK(after < 0.05);
  CHECK(stream->stop().lost() == 0);
}

// The anchors are the gateways themselves: no probe sees what happens behind them.
TEST_CASE("flows leave a black hole that no probe can see", "[e2e]") {
  Router router(two_upstreams());
  router.start(std::nullopt);
  lab::TrafficPlan plan;
  plan.server = *IpAddress::parse(lab::kService4);
  plan.new_flows_per_s = 10;
  plan.mbit = 8;
  auto traffic = lab::Traffic::start(router.lab().client(), router.lab().server(), plan,
                                     std::chrono::steady_clock::now())
                     .value();
  const auto completed = [&] {
    const auto record = traffic->record();
    return std::count_if(record.short_flows.begin(), record.short_flows.end(),
                         [](const lab::ShortFlow& f) { return f.completed(); });
  };
  REQUIRE(lab::eventually(10s, [&] { return completed() > 20; }));

  router.lab().relay().set(router.lab().core_link(0), {.loss = 1});
  const auto cut = completed();
  REQUIRE(lab::eventually(30s, [&] { return completed() > cut + 100; }));
  const auto record = traffic->stop();
  for (const lab::ShortFlow& flow : record.short_flows) {
    INFO("begun at " << flow.begun << ": " << flow.failure);
    CHECK_FALSE(flow.lost());
  }
  for (const lab::LongFlow& flow : record.long_flows) CHECK(flow.failure.empty());
  const Json events = router.status()["dataplane_events"];
  CHECK(events["escaped"] > 0);
  // The prober is warned, and nothing else: what it measures is as good as ever.
  CHECK(router.nexthop(0, Family::v4)["state"] != "down");
}

TEST_CASE("the control group takes the kernel's way and is measured apart", "[e2e]") {
  Router router(two_upstreams());
  router.start(with(router.lab(), {{"control_share", 0.5}}));
  auto stream = router.stream(Family::v4);
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > 2000; }));
  const auto counts = stream->stop();
  CHECK(counts.lost() == 0);
  CHECK(counts.reordered == 0);
  const Json status = router.status();
  INFO(status["packets_by_reason"].dump());
  CHECK(status["packets_by_reason"]["control"] > 100);
  CHECK(status["packets_by_reason"]["steered"] > 100);
  std::uint64_t control = 0;
  for (const Json& group : status["groups"])
    if (group["control"].is_object())
      control += group["control"]["forward_packets"].get<std::uint64_t>();
  CHECK(control > 100);
}

TEST_CASE("the router's own traffic follows the weights when it is told to", "[e2e]") {
  Router router(two_upstreams());
  router.start(with(router.lab(), {{"local_traffic", true}}));
  brown_out(router);
  // From an address that both upstreams know the way to.
  const auto printed = router.lab()
                           .router()
                           .run({"bash", "-c",
                                 "for port in {23000..23039}; do echo x | socat - "
                                 "UDP4:203.0.113.9:5003,bind=10.10.0.1:$port; done 2>&1 || true"})
                           .value();
  INFO(printed);
  CHECK(lab::eventually(
      5s, [&] { return router.delivered(0, kStream4) + router.delivered(1, kStream4) >= 40; }));
  CHECK(router.delivered(0, kStream4) <= 8);  // the kernel would send about half of them there
  CHECK(router.nexthop(0, Family::v4)["rtt_ms"] > 100.0);  // the probes still go their own way
}
