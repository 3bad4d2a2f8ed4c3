// One daemon after another on the same pinned maps.
#include <bpf/bpf.h>
#include <unistd.h>

#include <filesystem>

#include "core/dataplane/pins.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
namespace fs = std::filesystem;

namespace {

fs::path abi_folder(const Router& router) {
  return fs::directory_iterator(router.pin_root())->path() / dataplane::abi_name();
}

}  // namespace

TEST_CASE("a restart finds ids, buckets, flows, routes and lease as they were", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 1}});
  router.route("203.0.113.0/24", 3);
  router.route("203.0.113.128/25", 0);
  std::vector<std::uint32_t> before;
  const auto flow = [](std::uint32_t n) {
    PacketSpec spec;
    spec.source_port = static_cast<std::uint16_t>(2000 + n);
    return spec;
  };
  for (std::uint32_t n = 0; n < 32; ++n) before.push_back(router.nexthop_of(flow(n)));
  router.publish(group, {0.75, 0.25}, {true, true});
  const TimePoint lease = router.dataplane().lease_expires();

  router.restart();
  auto& dataplane = router.dataplane();
  CHECK(dataplane.lease_expires() >= lease);
  REQUIRE(dataplane.adopted().groups.size() == 3);
  CHECK(dataplane.adopted().groups[2] == group);
  REQUIRE(dataplane.adopted().nexthops.size() == 4);
  CHECK(dataplane.adopted().nexthops[2].first == NexthopId{3});
  CHECK(dataplane.adopted().nexthops[2].second ==
        NexthopKey{1, *IpAddress::parse("2001:db8:2::1")});
  CHECK(dataplane.buckets(GroupId{3}) == std::vector<std::uint32_t>{768, 256});

  // Saying the same again changes nothing.
  REQUIRE(dataplane.set_nexthop({NexthopId{1}, {1, *IpAddress::parse("192.0.2.1")}, "lo", ""}));
  REQUIRE(dataplane.set_group(group));
  CHECK(dataplane.buckets(GroupId{3}) == std::vector<std::uint32_t>{768, 256});
  for (std::uint32_t n = 0; n < 32; ++n) CHECK(router.nexthop_of(flow(n)) == before[n]);
  PacketSpec kernel;
  kernel.destination = "203.0.113.200";
  CHECK(router.steer(build(kernel)).reason == "kernel_route");
}

TEST_CASE("every router draws a hash seed of its own and keeps it over restarts", "[bpf]") {
  Router router;
  router.set_hash_seed(0);  // as fresh maps are
  router.restart();
  const std::uint32_t drawn = router.lease().hash_seed;
  CHECK(drawn != 0);
  router.two_upstreams();
  std::vector<std::uint32_t> buckets;
  const auto bucket = [&](std::uint16_t port) {
    const FlowTuple flow{*IpAddress::parse("10.1.0.1"), *IpAddress::parse("203.0.113.1"),
                         IPPROTO_TCP, port, 443};
    return router.dataplane().place(flow, Router::now()).bucket;
  };
  for (std::uint16_t port = 1; port <= 64; ++port) buckets.push_back(bucket(port));

  router.restart();
  CHECK(router.lease().hash_seed == drawn);
  router.two_upstreams();
  for (std::uint16_t port = 1; port <= 64; ++port) CHECK(bucket(port) == buckets[port - 1]);

  router.set_hash_seed(0);
  router.restart();
  CHECK(router.lease().hash_seed != drawn);
}

TEST_CASE("maps that are not defined as ours are set aside", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.crash();
  const fs::path pin = abi_folder(router) / "hw_paths";
  fs::remove(pin);
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  const int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 10, &options);
  REQUIRE(bpf_obj_pin(other, pin.c_str()) == 0);
  close(other);

  router.restart();
  CHECK(router.dataplane().adopted().groups.empty());
  CHECK(router.dataplane().adopted().nexthops.empty());
  CHECK(router.steer(build({})).reason == "no_route");
  router.two_upstreams();
  CHECK(router.steer(build({})).reason == "steered");
}
