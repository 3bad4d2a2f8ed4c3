// Where add-path is not to be had: FRR tells of its sessions by BMP, and a path that it did not
// choose is a candidate for as long as FRR says so.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"
#include "test/lab/speaker.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr const char* kBmp =
    "router bgp 65000\n"
    " bmp targets hopwise\n"
    "  bmp connect 10.255.255.2 port 11019 min-retry 500 max-retry 1000\n"
    "  bmp monitor ipv4 unicast post-policy\n"
    " exit\n";

std::size_t taken(const Router& router) {
  const Json status = router.status();
  return status["candidates"]["paths"].value("taken", std::size_t{0});
}

}  // namespace

TEST_CASE("what FRR tells by BMP are candidates, until it takes them back or dies",
          "[e2e][candidates][bmp]") {
  lab::Topology topology = two_upstreams();
  topology.router_extra = kBmp;
  Router router(topology);
  lab::Lab& lab = router.lab();
  REQUIRE(lab.router().run({"ip", "addr", "add", "10.255.255.1/30", "dev", "lo"}).has_value());
  Json config = config_with_anchors(lab);  // while both gateways are in the kernel
  config["bmp"] = {{"listen", "10.255.255.2:11019"}, {"routers", {{{"address", "10.255.255.1"}}}}};
  config["candidates"] = {{"from", "bgp"}, {"local_pref_floor", 100}};  // FRR tells none by BMP
  REQUIRE(
      lab.router()
          .run({"vtysh", "-N", lab.router().name(), "-c", "configure terminal", "-c",
                "router bgp 65000", "-c", "address-family ipv4 unicast", "-c", "maximum-paths 1"})
          .has_value());
  REQUIRE(lab::eventually(20s, [&] { return lab.offered(Family::v4).size() == 1; }));
  const std::size_t other = lab.offered(Family::v4)[0] == 0 ? 1 : 0;  // that FRR did not choose
  router.start(config);

  const auto has_candidate = [&] { return taken(router) >= 1; };
  const bool came = lab::eventually(30s, has_candidate);
  INFO(router.status().dump(1) << router.daemon().log());
  REQUIRE(came);
  const Json told = router.status()["bmp"]["routers"][0];
  CHECK(told["connected"] == true);
  CHECK(told["peers"].get<int>() >= 2);
  CHECK(told["errors"].value("malformed_update", 0) == 0);

  REQUIRE(lab.withdraw(other).has_value());
  CHECK(lab::eventually(10s, [&] { return taken(router) == 0; }));
  REQUIRE(lab.announce(other).has_value());
  REQUIRE(lab::eventually(20s, has_candidate));

  REQUIRE(lab.router_speaker().kill("bgpd").has_value());
  CHECK(lab::eventually(10s, [&] { return taken(router) == 0; }));
  CHECK(router.status()["bmp"]["routers"][0]["connected"] == false);
}
