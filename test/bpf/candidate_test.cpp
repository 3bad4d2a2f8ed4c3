// Paths of kernel weight 0: no bucket, and no flow, before a decision says so.
#include <set>

#include "core/routes/groups.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

/// Where new flows to the address go; 0: the kernel.
std::set<std::uint32_t> nexthops_to(Router& router, const char* address) {
  std::set<std::uint32_t> nexthops;
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    const FlowTuple flow{*IpAddress::parse("10.1.0.1"), *IpAddress::parse(address), IPPROTO_TCP,
                         port, 443};
    const auto placement = router.dataplane().place(flow, Router::now());
    nexthops.insert(placement.nexthop ? raw(*placement.nexthop) : 0);
  }
  return nexthops;
}

}  // namespace

TEST_CASE("a candidate carries nothing until a decision gives it buckets", "[bpf][candidates]") {
  Router router;
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 0}});
  router.route("198.51.100.0/24", 3);
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{1024, 0});
  CHECK(nexthops_to(router, "198.51.100.7") == std::set<std::uint32_t>{1});
  // Not for flows whose own path is gone either.
  router.dataplane().set_nexthop_usable(NexthopId{1}, false);
  CHECK(nexthops_to(router, "198.51.100.7") == std::set<std::uint32_t>{0});
  router.dataplane().set_nexthop_usable(NexthopId{1}, true);

  router.publish(group, {0.25, 0.75}, {true, true});
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{256, 768});
  CHECK(nexthops_to(router, "198.51.100.7") == std::set<std::uint32_t>{1, 2});
  router.publish(group, {1, 0}, {true, false});
  CHECK(nexthops_to(router, "198.51.100.7") == std::set<std::uint32_t>{1});
}

TEST_CASE("a restart finds a group with a candidate as it was", "[bpf][candidates]") {
  Router router;
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 0}});
  router.publish(group, {0.25, 0.75}, {true, true});
  router.restart();
  auto& dataplane = router.dataplane();
  routes::Groups groups(dataplane::Dataplane::limits());
  groups.adopt(dataplane.adopted().nexthops, dataplane.adopted().groups, Router::now());
  const auto back =
      groups.acquire({{*groups.nexthop(NexthopId{1}), 1}, {*groups.nexthop(NexthopId{2}), 0}});
  REQUIRE(back.has_value());
  CHECK(back->group == group);
  REQUIRE(dataplane.set_group(back->group));
  CHECK(dataplane.buckets(GroupId{3}) == std::vector<std::uint32_t>{256, 768});
}

TEST_CASE("a group that gains a candidate begins as it was without", "[bpf][candidates]") {
  Router router;
  router.two_upstreams();
  router.nexthop(5, "192.0.2.55");
  const Group plain = router.group(3, {{1, 1}, {2, 1}});
  router.publish(plain, {0.125, 0.875}, {true, true});
  (void)router.group(4, {{1, 1}, {2, 1}, {5, 0}});
  router.dataplane().begin_like(GroupId{4}, GroupId{3});
  CHECK(router.dataplane().buckets(GroupId{4}) == std::vector<std::uint32_t>{128, 896, 0});
  router.route("198.51.100.0/24", 3);
  const auto before = nexthops_to(router, "198.51.100.7");
  router.route("198.51.100.0/24", 4);
  CHECK(nexthops_to(router, "198.51.100.7") == before);

  // One that has lost a candidate which carries begins as routing has it.
  router.publish(plain, {0.5, 0.5}, {true, true});
  const Group with = router.group(6, {{1, 1}, {5, 0}});
  router.publish(with, {0.5, 0.5}, {true, true});
  (void)router.group(7, {{1, 1}, {2, 1}});
  router.dataplane().begin_like(GroupId{7}, GroupId{6});
  CHECK(router.dataplane().buckets(GroupId{7}) == std::vector<std::uint32_t>{512, 512});
}
