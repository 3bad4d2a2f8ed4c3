// Weights and placements as the data plane keeps them in the kernel's maps.
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

FlowTuple tuple_of(const PacketSpec& spec) {
  return {*IpAddress::parse(spec.source), *IpAddress::parse(spec.destination), spec.protocol,
          spec.source_port, spec.destination_port};
}

}  // namespace

TEST_CASE("a new group's buckets follow the kernel's weights", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.group(3, {{1, 3}, {2, 1}});
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{768, 256});
}

TEST_CASE("an unusable path loses its buckets at once, whatever the pace", "[bpf]") {
  dataplane::Options slow;
  slow.busy_moves = 0;
  slow.idle_after = std::chrono::hours(24 * 40);  // every bucket counts as busy
  Router router(slow);
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 1}});
  router.publish(group, {0.25, 0.75}, {true, true});
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{512, 512});
  router.publish(group, {0, 1}, {false, true});
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{0, 1024});
}

TEST_CASE("moves put off because buckets were busy go on in sync", "[bpf]") {
  dataplane::Options slow;
  slow.busy_moves = 100;
  slow.idle_after = std::chrono::hours(24 * 40);
  Router router(slow);
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 1}});
  router.publish(group, {0.25, 0.75}, {true, true});
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{412, 612});
  router.dataplane().sync(Router::now());
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{312, 712});
  for (int i = 0; i < 5; ++i) router.dataplane().sync(Router::now());
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{256, 768});
}

TEST_CASE("a placement names what the programs then do", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 1}});
  router.route("203.0.113.0/24", 3);
  router.route("203.0.113.128/25", 0);
  auto& dataplane = router.dataplane();
  const auto agrees = [&](const PacketSpec& spec) {
    const FlowPlacement placement = dataplane.place(tuple_of(spec), Router::now());
    CHECK((placement.nexthop ? raw(*placement.nexthop) : 0U) == router.nexthop_of(spec));
    return placement;
  };
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    PacketSpec spec;
    spec.source_port = port;
    if (port % 2 == 0) spec = to_v6(spec);
    if (port % 3 == 0) spec.protocol = IPPROTO_UDP;
    if (port % 5 == 0) spec.protocol = port % 2 == 0 ? 58 : 1;
    if (port % 2 == 0) spec.icmp_type = 128;
    CHECK_FALSE(agrees(spec).flow_nexthop);
    if (port == 1050) router.publish(group, {0.9, 0.1}, {true, true});
    if (port == 1100) dataplane.set_nexthop_usable(NexthopId{1}, false);
    const FlowPlacement known = agrees(spec);
    CHECK(known.flow_nexthop);
    CHECK(known.flow_packets == 1);
    CHECK(known.bucket_nexthop);
  }
  const FlowPlacement placement = dataplane.place(tuple_of({}), Router::now());
  CHECK(placement.route->text() == "203.0.113.0/24");
  CHECK(placement.group == GroupId{3});
  CHECK_FALSE(dataplane.place(tuple_of({}), Router::now() + std::chrono::minutes(2)).nexthop);

  PacketSpec kernel;
  kernel.destination = "203.0.113.200";
  CHECK(agrees(kernel).route->text() == "203.0.113.128/25");
  CHECK_FALSE(agrees(kernel).group);
}

TEST_CASE("what the tables cannot hold is an error that says so", "[bpf]") {
  Router router;
  router.two_upstreams();
  auto& dataplane = router.dataplane();
  CHECK_FALSE(
      dataplane.set_nexthop({NexthopId{4096}, {1, *IpAddress::parse("192.0.2.9")}, "", ""}));
  CHECK_FALSE(dataplane.set_group({GroupId{4095}, {{PathId{1}, NexthopId{1}, 1}}}));
  CHECK_FALSE(dataplane.set_group({GroupId{9}, {}}));
  const auto changed = dataplane.set_group({GroupId{1}, {{PathId{17}, NexthopId{1}, 1}}});
  REQUIRE_FALSE(changed);
  CHECK(changed.error().message ==
        "group 1: it is there with other paths or weights (remove it first)");
  const auto refused = dataplane.set_route(*Prefix::parse("10.0.0.0/8"), GroupId{99});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "route 10.0.0.0/8: group 99 is not known to the data plane");
}
