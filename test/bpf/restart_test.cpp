// One daemon after another on the same pinned maps.
#include <bpf/bpf.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "core/dataplane/pins.hpp"
#include "core/routes/groups.hpp"
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

TEST_CASE("a restart finds groups that differ in weights alone, each as it was", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Group even = router.group(3, {{1, 1}, {2, 1}});
  const Group odd = router.group(4, {{1, 1}, {2, 3}});
  router.publish(even, {0.75, 0.25}, {true, true});
  router.publish(odd, {0.125, 0.875}, {true, true});

  router.restart();
  auto& dataplane = router.dataplane();
  const auto& left = dataplane.adopted();
  REQUIRE(left.groups.size() == 4);
  CHECK(left.groups[2] == even);
  CHECK(left.groups[3] == odd);

  routes::Groups groups(dataplane::Dataplane::limits());
  groups.adopt(left.nexthops, left.groups, Router::now());
  const auto hop = [&](std::uint32_t id, std::uint32_t weight) {
    return routes::WeightedNexthop{*groups.nexthop(NexthopId{id}), weight};
  };
  const auto back = groups.acquire({hop(1, 1), hop(2, 3)}).value();
  CHECK(back.group == odd);
  REQUIRE(dataplane.set_group(back.group));
  REQUIRE(dataplane.set_group(groups.acquire({hop(1, 1), hop(2, 1)}).value().group));
  CHECK(dataplane.buckets(GroupId{3}) == std::vector<std::uint32_t>{768, 256});
  CHECK(dataplane.buckets(GroupId{4}) == std::vector<std::uint32_t>{128, 896});
}

// Groups 2 and 3 were left without weights, so no set of nexthops is known to be theirs.
TEST_CASE("what cannot be adopted keeps its ids until routing is known", "[bpf]") {
  Router router;
  const std::string gateways[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3"};
  for (std::uint32_t id = 1; id <= 3; ++id) router.nexthop(id, gateways[id - 1]);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    REQUIRE(router.dataplane().set_group(
        {GroupId{id},
         {{PathId{2 * id - 1}, NexthopId{1}, 1}, {PathId{2 * id}, NexthopId{2}, id}}}));
    router.route("198.51.10" + std::to_string(id) + ".0/24", id);
  }
  for (std::uint32_t id = 3; id <= 6; ++id)
    router.change_path(id, [](hw_path& path) { path.kernel_weight = 0; });

  router.restart();
  auto& dataplane = router.dataplane();
  routes::Groups groups(dataplane::Dataplane::limits());
  groups.adopt(dataplane.adopted().nexthops, dataplane.adopted().groups, Router::now());
  const auto set = [&](std::vector<routes::WeightedNexthop> hops) {
    const auto acquired = groups.acquire(std::move(hops)).value();
    REQUIRE(dataplane.set_group(acquired.group));
    return acquired.group;
  };
  const auto hop = [&](std::uint32_t id, std::uint32_t weight) {
    return routes::WeightedNexthop{{1, *IpAddress::parse(gateways[id - 1])}, weight};
  };
  const Group three = set({hop(1, 1), hop(2, 1), hop(3, 1)});
  const Group two = set({hop(1, 1), hop(2, 2)});
  for (const Group& group : {three, two}) {
    CHECK(raw(group.id) > 3);
    for (const Path& path : group.paths) CHECK(raw(path.id) > 6);
  }
  const auto nexthops_to = [&](const std::string& address) {
    std::set<std::uint32_t> nexthops;
    for (std::uint16_t port = 1000; port < 1064; ++port) {
      const FlowTuple flow{*IpAddress::parse("10.1.0.1"), *IpAddress::parse(address), IPPROTO_TCP,
                           port, 443};
      const auto placement = dataplane.place(flow, Router::now());
      nexthops.insert(placement.nexthop ? raw(*placement.nexthop) : 0);
    }
    return nexthops;
  };
  for (const auto* old : {"198.51.101.7", "198.51.102.7", "198.51.103.7"})
    CHECK(nexthops_to(old) == std::set<std::uint32_t>{1, 2});

  router.route("198.51.100.0/24", raw(three.id));
  router.route("198.51.102.0/24", raw(two.id));
  REQUIRE(dataplane.sweep_routes());
  const auto expired = groups.expire(Router::now());
  CHECK(expired.groups == std::vector{GroupId{2}, GroupId{3}});
  for (const GroupId id : expired.groups) dataplane.remove_group(id);
  CHECK(nexthops_to("198.51.100.7") == std::set<std::uint32_t>{1, 2, 3});
  CHECK(nexthops_to("198.51.102.7") == std::set<std::uint32_t>{1, 2});
  for (std::uint32_t id = 3; id <= 6; ++id)
    router.change_path(id, [](const hw_path& path) { CHECK(path.nexthop == 0); });
}

TEST_CASE("a group that contradicts itself is known by its id alone", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.group(3, {{1, 1}, {2, 1}});
  router.route("203.0.113.0/24", 3);
  router.change_path(50, [](hw_path& path) { path.nexthop = 9; });  // of which nothing is known
  router.restart();
  auto& dataplane = router.dataplane();
  REQUIRE(dataplane.adopted().groups.size() == 3);
  CHECK(dataplane.adopted().groups[2] == Group{GroupId{3}, {}});
  // The kernel's routes serve what it carried.
  CHECK(router.steer(build({})).reason == "no_nexthop");
  for (const std::uint32_t id : {49, 50})
    router.change_path(id, [](const hw_path& path) { CHECK(path.nexthop == 0); });
  dataplane.remove_group(GroupId{3});
  router.restart();
  CHECK(router.dataplane().adopted().groups.size() == 2);
}

TEST_CASE("a path that a daemon made and no group got is none", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.change_path(49, [](hw_path& path) { path = {3, 1, HW_PATH_USABLE, 1}; });
  router.restart();
  router.change_path(49, [](const hw_path& path) { CHECK(path.nexthop == 0); });
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
  CHECK(router.dataplane().adopted().set_aside == "hw_paths is not defined as this version's");
  CHECK(router.dataplane().adopted().groups.empty());
  CHECK(router.dataplane().adopted().nexthops.empty());
  CHECK(router.steer(build({})).reason == "no_route");
  router.two_upstreams();
  CHECK(router.steer(build({})).reason == "steered");
  router.restart();
  CHECK(router.dataplane().adopted().set_aside.empty());
  CHECK(router.dataplane().adopted().groups.size() == 2);
}

TEST_CASE("maps of which one is missing are set aside too", "[bpf]") {
  Router router;
  CHECK(router.dataplane().adopted().set_aside.empty());  // there were none at all
  router.two_upstreams();
  router.crash();
  fs::remove(abi_folder(router) / "hw_flows");
  router.restart();
  CHECK(router.dataplane().adopted().set_aside == "hw_flows is missing");
  CHECK(router.dataplane().adopted().groups.empty());
}
