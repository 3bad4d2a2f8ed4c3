// This host's own traffic, at the egress of the interface that the kernel chose for it.
#include <net/if.h>

#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

const dataplane::Link kLink{{2, 0, 0, 0, 2, 1}, {2, 0, 0, 0, 9, 9}};

void expect_untouched(Router& router, const PacketSpec& spec, const Skb& skb,
                      const std::string& reason) {
  const Outcome outcome = router.local(build(spec), skb);
  CHECK(outcome.verdict == kPassed);
  CHECK(outcome.reason == reason);
  CHECK(outcome.bytes == build(spec));
  CHECK(outcome.mark == skb.mark);
}

}  // namespace

TEST_CASE("local traffic goes to its nexthop with its hop count as it is", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (PacketSpec spec : {PacketSpec{}, to_v6({})}) {
    spec.hops = 1;
    const Outcome outcome = router.local(build(spec));
    CHECK(outcome.verdict == kRedirect);
    CHECK(outcome.reason == "steered");
    CHECK(outcome.bytes == build(spec));
    CHECK(router.flow(spec));
    router.observe(build(reversed(spec)));
    CHECK(router.flow(spec)->reverse_packets == 1);
  }
}

TEST_CASE("what is forwarded and what carries a mark is no local traffic of ours", "[bpf]") {
  Router router;
  router.two_upstreams();
  Skb forwarded, probe;
  forwarded.ingress_ifindex = 1;
  probe.mark = 0x68770001;
  expect_untouched(router, {}, forwarded, "");
  expect_untouched(router, {}, probe, "");
  CHECK_FALSE(router.flow({}));
}

TEST_CASE("local traffic that leaves by the chosen neighbour already stays in place", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  router.dataplane().set_nexthop_link(NexthopId{1}, kLink);
  PacketSpec spec;
  spec.mac = kLink.gateway;
  expect_untouched(router, spec, {}, "in_place");
  CHECK(router.dataplane().counters().paths.at(PathId{17}).forward_packets == 1);
  CHECK(router.flow(spec)->packets == 1);
  spec.mac[5] = 9;
  CHECK(router.local(build(spec)).reason == "steered");
}

TEST_CASE("local traffic without a lease, a route, or a nexthop is left alone", "[bpf]") {
  Router router;
  expect_untouched(router, {}, {}, "no_route");
  router.two_upstreams();
  router.dataplane().set_nexthop_usable(NexthopId{1}, false);
  router.dataplane().set_nexthop_usable(NexthopId{2}, false);
  expect_untouched(router, {}, {}, "no_nexthop");
  PacketSpec multicast;
  multicast.destination = "224.0.0.5";
  expect_untouched(router, multicast, {}, "not_for_us");
  router.dataplane().end_lease();
  expect_untouched(router, {}, {}, "lease_over");
}
