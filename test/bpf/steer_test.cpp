// What the steer program does with whole, healthy packets.
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

std::vector<PacketSpec> every_kind() {
  std::vector<PacketSpec> kinds;
  for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP}) {
    PacketSpec spec;
    spec.protocol = protocol;
    kinds.push_back(spec);
    kinds.push_back(to_v6(spec));
  }
  return kinds;
}

PacketSpec flow_number(std::uint32_t n, bool v6 = false) {
  PacketSpec spec;
  if (v6) spec = to_v6(spec);
  spec.source_port = static_cast<std::uint16_t>(1024 + n % 60000);
  spec.destination_port = static_cast<std::uint16_t>(443 + n / 60000);
  return spec;
}

}  // namespace

TEST_CASE("TCP, UDP and echo of both families are redirected with one hop less", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (const PacketSpec& spec : every_kind()) {
    const Bytes before = build(spec);
    const Outcome outcome = router.steer(before);
    INFO(spec.source << " protocol " << int{spec.protocol});
    CHECK(outcome.verdict == kRedirect);
    CHECK(outcome.reason == "steered");

    PacketSpec one_less = spec;
    --one_less.hops;
    CHECK(outcome.bytes == build(one_less));
  }
}

TEST_CASE("the checksum is right after every decrement of the TTL", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (std::uint32_t ttl = 2; ttl < 256; ++ttl)
    for (const std::size_t payload : {std::size_t{0}, 3 * std::size_t{ttl}}) {
      PacketSpec spec;
      spec.hops = static_cast<std::uint8_t>(ttl);
      spec.payload = payload;
      const Outcome outcome = router.steer(build(spec));
      REQUIRE(outcome.verdict == kRedirect);
      REQUIRE(outcome.bytes[kEthernetBytes + 8] == ttl - 1);
      REQUIRE(checksum_holds(outcome.bytes));
    }
}

TEST_CASE("a hop limit that runs out here is the kernel's to answer", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (PacketSpec spec : every_kind())
    for (const std::uint8_t hops : Bytes{0, 1}) {
      spec.hops = hops;
      const Outcome outcome = router.steer(build(spec));
      CHECK(outcome.verdict == kPassed);
      CHECK(outcome.reason == "ttl");
      CHECK(outcome.bytes == build(spec));
    }
}

TEST_CASE("without a route of ours, and for the kernel's routes, nothing is touched", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.route("203.0.113.0/24", 0);
  router.route("2001:db8:ff::/48", 0);
  for (const PacketSpec& spec : every_kind()) {
    const Outcome outcome = router.steer(build(spec));
    CHECK(outcome.verdict == kPassed);
    CHECK(outcome.reason == "kernel_route");
    CHECK(outcome.bytes == build(spec));
  }
  for (const char* prefix : {"203.0.113.0/24", "2001:db8:ff::/48", "0.0.0.0/0", "::/0"})
    REQUIRE(router.dataplane().remove_route(*Prefix::parse(prefix)));
  for (const PacketSpec& spec : every_kind()) CHECK(router.steer(build(spec)).reason == "no_route");
}

TEST_CASE("when the lease is over the kernel's routes rule", "[bpf]") {
  Router router;
  router.two_upstreams();
  auto& dataplane = router.dataplane();
  dataplane.renew_lease(Router::now() - std::chrono::minutes(2));
  const Outcome outcome = router.steer(build({}));
  CHECK(outcome.verdict == kPassed);
  CHECK(outcome.reason == "lease_over");
  CHECK(outcome.bytes == build({}));
  dataplane.renew_lease(Router::now());
  CHECK(router.steer(build({})).reason == "steered");
}

TEST_CASE("a lease that is ended hands the next packet to the kernel, known flows too", "[bpf]") {
  Router router;
  router.two_upstreams();
  auto& dataplane = router.dataplane();
  CHECK(router.steer(build({})).reason == "steered");
  dataplane.end_lease();
  CHECK(dataplane.lease_expires() == TimePoint());
  const Outcome outcome = router.steer(build({}));
  CHECK(outcome.verdict == kPassed);
  CHECK(outcome.reason == "lease_over");
  CHECK(outcome.bytes == build({}));
  dataplane.renew_lease(Router::now());
  CHECK(router.steer(build({})).reason == "steered");
}

TEST_CASE("frames for another host, multicast and broadcast are left alone", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (const auto& mac : {std::array<std::uint8_t, 6>{2, 0, 0, 0, 0, 9},
                          {1, 0, 0x5e, 0, 0, 1},
                          {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}) {
    PacketSpec spec;
    spec.mac = mac;
    CHECK(router.steer(build(spec)).reason == "not_for_us");
  }
  for (const char* destination : {"224.0.0.5", "255.255.255.255", "127.0.0.1", "0.1.2.3"}) {
    PacketSpec spec;
    spec.destination = destination;
    CHECK(router.steer(build(spec)).reason == "not_for_us");
  }
  for (const char* destination : {"ff02::1", "fe80::1", "::1"}) {
    PacketSpec spec = to_v6({});
    spec.destination = destination;
    CHECK(router.steer(build(spec)).reason == "not_for_us");
  }
  PacketSpec link_local = to_v6({});
  link_local.source = "fe80::2";
  CHECK(router.steer(build(link_local)).reason == "not_for_us");
}

TEST_CASE("a flow stays where it is when weights change; new flows follow them", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 1}});
  router.route("203.0.113.0/24", 3);
  std::vector<std::uint32_t> before;
  for (std::uint32_t n = 0; n < 64; ++n) before.push_back(router.nexthop_of(flow_number(n)));
  CHECK(std::count(before.begin(), before.end(), 1U) > 0);
  CHECK(std::count(before.begin(), before.end(), 2U) > 0);

  router.publish(group, {0, 1}, {true, true});
  CHECK(router.dataplane().buckets(GroupId{3}) == std::vector<std::uint32_t>{0, 1024});
  for (std::uint32_t n = 0; n < 64; ++n) CHECK(router.nexthop_of(flow_number(n)) == before[n]);
  for (std::uint32_t n = 100; n < 164; ++n) CHECK(router.nexthop_of(flow_number(n)) == 2);
}

TEST_CASE("a flow whose nexthop or path dies goes elsewhere at once", "[bpf]") {
  for (const bool v6 : {false, true}) {
    Router router;
    router.two_upstreams();
    auto& dataplane = router.dataplane();
    const std::uint32_t first = v6 ? 3 : 1, second = first + 1;
    for (std::uint32_t n = 0; n < 32; ++n) REQUIRE(router.nexthop_of(flow_number(n, v6)) != 0);
    dataplane.set_nexthop_usable(NexthopId{first}, false);
    for (std::uint32_t n = 0; n < 64; ++n) CHECK(router.nexthop_of(flow_number(n, v6)) == second);

    dataplane.set_nexthop_usable(NexthopId{second}, false);
    const Outcome outcome = router.steer(build(flow_number(0, v6)));
    CHECK(outcome.verdict == kPassed);
    CHECK(outcome.reason == "no_nexthop");
    CHECK(outcome.bytes == build(flow_number(0, v6)));

    dataplane.set_nexthop_usable(NexthopId{first}, true);
    for (std::uint32_t n = 0; n < 64; ++n) CHECK(router.nexthop_of(flow_number(n, v6)) == first);
  }
}

TEST_CASE("flows of a dead path spread over all others by their hash", "[bpf]") {
  Router router;
  for (std::uint32_t id = 1; id <= 4; ++id) router.nexthop(id, "192.0.2." + std::to_string(id));
  router.group(1, {{1, 1}, {2, 1}, {3, 1}, {4, 1}});
  router.route("0.0.0.0/0", 1);
  std::map<std::uint32_t, int> moved;
  std::vector<std::uint32_t> of_first;
  for (std::uint32_t n = 0; n < 800; ++n)
    if (router.nexthop_of(flow_number(n)) == 1) of_first.push_back(n);
  router.dataplane().set_nexthop_usable(NexthopId{1}, false);
  for (const std::uint32_t n : of_first) ++moved[router.nexthop_of(flow_number(n))];
  CHECK(of_first.size() > 100);
  CHECK(moved.size() == 3);
  for (const auto& [hop, flows] : moved) {
    INFO("nexthop " << hop << " took " << flows << " of " << of_first.size());
    CHECK(flows > static_cast<int>(of_first.size()) / 6);
  }
}

TEST_CASE("a flow keeps its nexthop when its route moves to another group with it", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.nexthop(5, "192.0.2.5");
  std::vector<std::uint32_t> before;
  for (std::uint32_t n = 0; n < 32; ++n) before.push_back(router.nexthop_of(flow_number(n)));
  router.group(5, {{5, 1}, {2, 1}, {1, 1}});
  router.route("203.0.113.0/24", 5);
  for (std::uint32_t n = 0; n < 32; ++n) CHECK(router.nexthop_of(flow_number(n)) == before[n]);

  router.group(6, {{5, 1}, {2, 1}});
  router.route("203.0.113.0/24", 6);
  for (std::uint32_t n = 0; n < 32; ++n) {
    const std::uint32_t now = router.nexthop_of(flow_number(n));
    CHECK((before[n] == 2 ? now == 2 : now == 2 || now == 5));
  }
}

TEST_CASE("IPv4 goes to an IPv6 gateway, IPv6 to an IPv4 gateway is left to the kernel", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.nexthop(2, "fe80::1");
  router.group(1, {{2, 1}});
  router.group(2, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  router.route("::/0", 2);
  CHECK(router.steer(build({})).verdict == kRedirect);
  CHECK(router.steer(build(to_v6({}))).reason == "no_nexthop");
}

TEST_CASE("new flows fill the paths by their weights", "[bpf]") {
  Router router;
  for (std::uint32_t id = 1; id <= 3; ++id) router.nexthop(id, "192.0.2." + std::to_string(id));
  const Group group = router.group(1, {{1, 1}, {2, 1}, {3, 1}});
  router.route("0.0.0.0/0", 1);
  const std::vector<double> weights{0.5, 0.3, 0.2};
  router.publish(group, weights, {true, true, true});
  constexpr std::uint32_t kFlows = 6000;
  for (std::uint32_t n = 0; n < kFlows; ++n) {
    PacketSpec spec = flow_number(n * 7);
    spec.source = "10.1." + std::to_string(n % 250) + ".2";
    REQUIRE(router.nexthop_of(spec) != 0);
  }
  const auto paths = router.dataplane().counters().paths;
  double chi_square = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double expected = weights[i] * kFlows;
    const auto packets = static_cast<double>(paths.at(group.paths[i].id).forward_packets);
    chi_square += (packets - expected) * (packets - expected) / expected;
  }
  // 2 degrees of freedom: 13.8 is passed by chance once in a thousand. Flows are always the same.
  CHECK(chi_square < 13.8);
}

TEST_CASE("what exceeds the nexthop's MTU is the kernel's to answer", "[bpf]") {
  Router router;
  PrivateNamespace::run("ip link set lo mtu 1300");
  router.two_upstreams();
  PacketSpec big;
  big.payload = 1300;
  for (const PacketSpec& spec : {big, to_v6(big)}) {
    const Outcome outcome = router.steer(build(spec));
    CHECK(outcome.verdict == kPassed);
    CHECK(outcome.reason == "mtu");
    CHECK(outcome.mark >> 16 == 0x6877);  // the stack answers for the nexthop that was chosen
    CHECK(outcome.bytes == build(spec));
  }
  big.payload = 1300 - 20 - 8;
  CHECK(router.steer(build(big)).reason == "steered");
}

TEST_CASE("a path's counters are the packets and bytes it carried", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  for (int i = 0; i < 5; ++i) router.steer(build({}));
  const auto traffic = router.dataplane().counters().paths.at(PathId{17});
  CHECK(traffic.forward_packets == 5);
  CHECK(traffic.forward_bytes == 5 * (20 + 8 + 40));
  CHECK(traffic.reverse_packets == 0);
}

TEST_CASE("counters are right wherever a path's number and its group's lie", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  const std::uint32_t paths[] = {1, 2, 255, 256, 257, 8000, 8191};
  const std::uint32_t groups[] = {1, 2, 3, 300, 1000, 4093, 4094};
  for (std::uint32_t i = 0; i < std::size(paths); ++i) {
    REQUIRE(
        router.dataplane().set_group({GroupId{groups[i]}, {{PathId{paths[i]}, NexthopId{1}, 1}}}));
    router.route("203.0.113.0/24", groups[i]);
    for (std::uint32_t n = 0; n <= i; ++n) REQUIRE(router.steer(build({})).reason == "steered");
  }
  const auto counters = router.dataplane().counters();
  CHECK(counters.paths.size() == std::size(paths));
  for (std::size_t i = 0; i < std::size(paths); ++i)
    CHECK(counters.paths.at(PathId{paths[i]}).forward_packets == i + 1);
  CHECK(counters.control.empty());
}
