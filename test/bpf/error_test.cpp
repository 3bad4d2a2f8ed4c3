// ICMP errors, which must take the way of the flow that they report on: path MTU discovery and
// traceroute depend on it.
#include <utility>

#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

PacketSpec flow_of(std::uint8_t protocol, bool v6, std::uint16_t port) {
  PacketSpec spec;
  spec.protocol = protocol;
  spec.source_port = port;
  return v6 ? to_v6(spec) : spec;
}

// The LAN's host reports on what came back for its flow.
PacketSpec reported_by_lan(const PacketSpec& flow, std::uint8_t type = 0,
                           std::size_t bytes = 1000) {
  return error_about(reversed(flow), {flow.source, type, bytes});
}

std::vector<std::uint8_t> errors_of(bool v6) {
  return v6 ? std::vector<std::uint8_t>{1, 2, 3, 4} : std::vector<std::uint8_t>{3, 11, 12};
}

constexpr std::uint8_t kProtocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP};

}  // namespace

TEST_CASE("an ICMP error goes where the flow goes that it reports on", "[bpf]") {
  const bool v6 = GENERATE(false, true);
  Router router;
  router.two_upstreams();
  int seen[5] = {};
  for (const std::uint8_t protocol : kProtocols)
    for (const std::uint8_t type : errors_of(v6))
      for (std::uint16_t port = 5000; port < 5008; ++port) {
        const PacketSpec flow = flow_of(protocol, v6, port);
        const std::uint32_t hop = router.nexthop_of(flow);
        REQUIRE(hop != 0);
        CHECK(router.nexthop_of(reported_by_lan(flow, type)) == hop);
        // A router of the LAN tells of it as well.
        PacketSpec by_router = reported_by_lan(flow, type);
        by_router.source = v6 ? "2001:db8:1::1" : "10.1.0.1";
        CHECK(router.nexthop_of(by_router) == hop);
        ++seen[hop];
      }
  CHECK(seen[v6 ? 3 : 1] > 0);
  CHECK(seen[v6 ? 4 : 2] > 0);
}

TEST_CASE("an error costs a hop and leaves the flow's entry alone, and makes none", "[bpf]") {
  const bool v6 = GENERATE(false, true);
  Router router;
  router.two_upstreams();
  const PacketSpec flow = flow_of(IPPROTO_TCP, v6, 5000);
  const PacketSpec error = reported_by_lan(flow);
  const Outcome outcome = router.steer(build(error));
  CHECK(outcome.verdict == kRedirect);
  CHECK(outcome.reason == "steered");
  PacketSpec one_less = error;
  --one_less.hops;
  CHECK(outcome.bytes == build(one_less));
  CHECK_FALSE(router.flow(flow));
  CHECK_FALSE(router.flow(error));

  REQUIRE(router.nexthop_of(flow) != 0);
  const auto before = router.flow(flow);
  REQUIRE(router.nexthop_of(error) != 0);
  CHECK(router.flow(flow)->packets == before->packets);
  CHECK(router.flow(flow)->last_seen_ns == before->last_seen_ns);
}

TEST_CASE("an error follows its flow also when the bucket says otherwise", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Group group = router.group(3, {{1, 1}, {2, 1}});
  router.route("203.0.113.0/24", 3);
  const PacketSpec flow = flow_of(IPPROTO_TCP, false, 5000);
  const std::uint32_t hop = router.nexthop_of(flow);
  router.publish(group, {hop == 1 ? 0. : 1., hop == 1 ? 1. : 0.}, {true, true});
  CHECK(router.nexthop_of(flow_of(IPPROTO_TCP, false, 5001)) != hop);
  CHECK(router.nexthop_of(reported_by_lan(flow)) == hop);
}

TEST_CASE("a report on a fragment follows the fragments", "[bpf]") {
  const bool v6 = GENERATE(false, true);
  Router router;
  router.two_upstreams();
  for (int host = 2; host < 18; ++host) {
    PacketSpec flow = flow_of(IPPROTO_UDP, v6, 5000);
    flow.source = (v6 ? "2001:db8:1::" : "10.1.0.") + std::to_string(host);
    flow.fragment = Fragment{0, true};
    const std::uint32_t hop = router.nexthop_of(flow);
    flow.fragment = Fragment{16, false};
    CHECK(router.nexthop_of(reported_by_lan(flow)) == hop);
  }
}

TEST_CASE("options and extension headers within the report are passed by", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (std::uint16_t port = 5000; port < 5016; ++port) {
    PacketSpec flow = flow_of(IPPROTO_TCP, false, port);
    const std::uint32_t hop = router.nexthop_of(flow);
    flow.option_bytes = 12;
    CHECK(router.nexthop_of(reported_by_lan(flow)) == hop);
    PacketSpec flow6 = flow_of(IPPROTO_TCP, true, port);
    const std::uint32_t hop6 = router.nexthop_of(flow6);
    flow6.extensions = {IPPROTO_DSTOPTS};
    CHECK(router.nexthop_of(reported_by_lan(flow6)) == hop6);
  }
}

TEST_CASE("a report that is cut off, or is not what it seems, is left to the kernel", "[bpf]") {
  const bool v6 = GENERATE(false, true);
  Router router;
  router.two_upstreams();
  const auto left_alone = [&](const PacketSpec& spec, const std::string& reason) {
    const Outcome outcome = router.steer(build(spec));
    CHECK(outcome.verdict == kPassed);
    CHECK(outcome.reason == reason);
    CHECK(outcome.bytes == build(spec));
  };
  const std::size_t header = v6 ? 40 : 20;
  for (const std::uint8_t protocol : kProtocols) {
    const PacketSpec flow = flow_of(protocol, v6, 5000);
    for (std::size_t bytes = 1; bytes < header + 8; ++bytes)
      left_alone(reported_by_lan(flow, 0, bytes), "malformed");
    CHECK(router.steer(build(reported_by_lan(flow, 0, header + 8))).reason == "steered");
  }
  const PacketSpec flow = flow_of(IPPROTO_TCP, v6, 5000);
  PacketSpec elsewhere = reported_by_lan(flow);  // not to the sender of what it reports on
  elsewhere.destination = v6 ? "2001:db8:ff::8" : "203.0.113.8";
  left_alone(elsewhere, "malformed");
  PacketSpec other_family = reported_by_lan(flow);
  other_family.content[0] = v6 ? 0x45 : 0x60;
  left_alone(other_family, "malformed");
  left_alone(reported_by_lan(flow_of(IPPROTO_SCTP, v6, 5000)), "protocol");
  PacketSpec of_error = reported_by_lan(flow);
  std::swap(of_error.source, of_error.destination);
  left_alone(error_about(of_error, {flow.source}), "protocol");
}

TEST_CASE("an error from the WAN counts as traffic of the flow's path, not as its answer",
          "[bpf]") {
  const bool v6 = GENERATE(false, true);
  Router router;
  router.two_upstreams();
  const PacketSpec flow = flow_of(IPPROTO_UDP, v6, 5000);
  REQUIRE(router.nexthop_of(flow) != 0);
  const PathId path{router.flow(flow)->path};
  const Bytes error = build(error_about(flow, {v6 ? "2001:db8:99::1" : "198.51.100.1"}));
  router.observe(error);
  CHECK(router.dataplane().counters().paths.at(path).reverse_packets == 1);
  CHECK(router.dataplane().counters().paths.at(path).reverse_bytes ==
        error.size() - kEthernetBytes);
  CHECK((router.flow(flow)->flags & HW_FLOW_ANSWERED) == 0);
  CHECK(router.flow(flow)->reverse_packets == 0);
}
