// Destinations with much traffic get groups of their own: two prefixes of the lab's server, behind
// the same upstreams, one of which carries most.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

const char* const kHeavy = "198.51.100.0/24";

/// The group for this prefix alone; null without one.
Json group_of(const Router& router, const std::string& prefix) {
  const Json status = router.status();
  for (const Json& group : status["groups"])
    if (group["destination"] == prefix) return group;
  return nullptr;
}

lab::Topology fixed_routes() {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  return topology;
}

void run(const lab::Namespace& where, const std::string& command) {
  const auto done = where.run({"sh", "-c", command});
  INFO(command);
  REQUIRE(done);
}

/// A second service prefix, offered by the same nexthops as the first.
void add_prefix(Router& router) {
  lab::Lab& lab = router.lab();
  run(lab.server(), "ip address add 198.51.100.9/24 dev lo");
  std::string route = std::string("ip route add ") + kHeavy;
  for (std::size_t i = 0; i < 2; ++i) {
    run(lab.upstream(i),
        std::string("ip route add ") + kHeavy + " via 10.98." + std::to_string(i) + ".2");
    route += " nexthop via " + lab.gateway(i, Family::v4)->text() + " dev " + lab.wan_device(i);
  }
  run(lab.router(), route);
}

}  // namespace

TEST_CASE("a destination with most of the traffic gets a group of its own, while its route lasts",
          "[e2e][destinations]") {
  Router router(fixed_routes());
  add_prefix(router);
  Json config = config_with_anchors(router.lab());
  config["destinations"] = {{"every", "1s"}};
  router.start(config);

  auto light = router.stream(Family::v4, 100);
  lab::StreamPlan plan;
  plan.server = *IpAddress::parse("198.51.100.9");
  plan.port = 5009;
  plan.packets_per_s = 1000;
  auto heavy = lab::PacketStream::start(router.lab().client(), router.lab().server(), plan);
  REQUIRE(heavy);

  REQUIRE(lab::eventually(30s, [&] { return !group_of(router, kHeavy).is_null(); }));
  const Json base = router.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&sport=9&dport=5003");
  const Json own = router.explain("src=10.10.0.2&dst=198.51.100.9&proto=udp&sport=9&dport=5009");
  CHECK(own["group"] != base["group"]);
  CHECK(own["group"] == group_of(router, kHeavy)["id"]);
  CHECK(router.status()["destinations"]["promoted"] >= 1);
  REQUIRE(lab::eventually(10s, [&] {
    std::uint64_t packets = 0;
    const Json group = group_of(router, kHeavy);
    for (const Json& path : group["paths"]) packets += path["forward_packets"].get<std::uint64_t>();
    return packets > 500;
  }));

  run(router.lab().router(), std::string("ip route del ") + kHeavy);
  CHECK(lab::eventually(5s, [&] { return group_of(router, kHeavy).is_null(); }));
  light->stop();
  (*heavy)->stop();
  CHECK(light->counts().received > 0);
}
