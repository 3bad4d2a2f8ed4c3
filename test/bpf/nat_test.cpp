// Marks and NAT: a flow's source address belongs to the uplink that it began on, so the flow stays
// there for life, whatever happens to datagrams, entries and nexthops.
#include <algorithm>

#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

constexpr std::uint32_t kMark = 0x68770000;
constexpr std::uint8_t kSyn = 0x02, kAck = 0x10;

dataplane::Options marking() {
  dataplane::Options options;
  options.actuator = dataplane::Actuator::mark;
  return options;
}

PacketSpec udp(std::uint16_t port) {
  PacketSpec spec;
  spec.protocol = IPPROTO_UDP;
  spec.source_port = port;
  return spec;
}

PacketSpec tcp(std::uint16_t port, std::uint8_t flags) {
  PacketSpec spec;
  spec.source_port = port;
  spec.content.assign(12, 0);
  spec.content[4] = 0x50;
  spec.content[5] = flags;
  return spec;
}

std::uint32_t nexthop_of(const Outcome& outcome) {
  return outcome.mark == 0 ? 0 : outcome.mark - kMark;
}

FlowTuple tuple_of(const PacketSpec& spec) {
  return {*IpAddress::parse(spec.source), *IpAddress::parse(spec.destination), spec.protocol,
          spec.source_port, spec.destination_port};
}

void check_untouched(const Outcome& outcome, const PacketSpec& spec) {
  CHECK(outcome.verdict == kPassed);
  CHECK(outcome.mark == 0);
  CHECK(outcome.bytes == build(spec));
}

// As if the flow's last packet had gone by so much earlier.
void age(Router& router, const PacketSpec& spec, Duration by) {
  hw_flow flow = router.flow(spec).value();
  flow.last_seen_ns -= static_cast<std::uint64_t>(by.count());
  flow.started_ns = std::min(flow.started_ns, flow.last_seen_ns);
  router.set_flow(spec, flow);
}

/// A flow that is on nexthop 1, found by its source port; its first packet has gone by.
PacketSpec flow_on_first(Router& router, PacketSpec (*make)(std::uint16_t)) {
  for (std::uint16_t port = 20000; port < 20100; ++port)
    if (nexthop_of(router.steer(build(make(port)))) == 1) return make(port);
  FAIL("no flow took nexthop 1");
  return {};
}
PacketSpec syn(std::uint16_t port) {
  return tcp(port, kSyn);
}

}  // namespace

TEST_CASE("a datagram in fragments takes the mark of its flow's small ones", "[bpf]") {
  Router router(marking());
  router.two_upstreams();
  for (std::uint16_t port = 30000; port < 30032; ++port)
    for (const PacketSpec& small : {udp(port), to_v6(udp(port))}) {
      const Outcome whole = router.steer(build(small));
      CHECK(whole.reason == "steered");
      PacketSpec piece = small;
      piece.fragment = Fragment{0, true};
      const Outcome first = router.steer(build(piece));
      CHECK(first.reason == "steered");
      CHECK(first.mark == whole.mark);
      for (const Fragment behind : {Fragment{6, true}, Fragment{12, false}}) {
        piece.fragment = behind;
        const Outcome outcome = router.steer(build(piece));
        CHECK(outcome.reason == "fragment");
        check_untouched(outcome, piece);
      }
      CHECK(router.flow(small)->packets == 2);
    }
}

TEST_CASE("answers in fragments are the flow's where they are put together", "[bpf]") {
  Router router(marking());
  router.two_upstreams();
  router.steer(build(udp(30000)));
  PacketSpec answer = reversed(udp(30000));
  answer.fragment = Fragment{0, true};
  router.observe(build(answer));
  answer.fragment = Fragment{6, false};
  router.observe(build(answer));
  CHECK(router.flow(udp(30000))->reverse_packets == 1);
}

TEST_CASE("a TCP connection that began before us is left to whoever bound it", "[bpf]") {
  Router router(marking());
  router.two_upstreams();
  for (const std::uint8_t flags : {kAck, std::uint8_t{kSyn | kAck}, std::uint8_t{0x11}})
    for (const PacketSpec& spec : {tcp(40000, flags), to_v6(tcp(40000, flags))}) {
      const Outcome outcome = router.steer(build(spec));
      CHECK(outcome.reason == "unknown_flow");
      check_untouched(outcome, spec);
      CHECK_FALSE(router.flow(spec));
    }
  const Outcome begun = router.steer(build(tcp(40000, kSyn)));
  CHECK(begun.reason == "steered");
  CHECK(router.steer(build(tcp(40000, kAck))).mark == begun.mark);

  SECTION("but not where nothing binds it: without marks, or where flows may move") {
    router.dataplane().set_affinity(GroupId{1}, dataplane::Affinity::flowlet,
                                    std::chrono::milliseconds(50));
    CHECK(router.steer(build(tcp(40001, kAck))).reason == "steered");
    router.restart_with([](auto& options) { options.actuator = dataplane::Actuator::redirect; });
    CHECK(router.steer(build(tcp(40002, kAck))).reason == "steered");
  }
  SECTION("an error about a flow without an entry goes with it") {
    const PacketSpec error = error_about(reversed(udp(50000)), {"10.1.0.2"});
    CHECK(router.steer(build(error)).reason == "unknown_flow");
  }
}

TEST_CASE("a SYN for which there is no entry is left to the kernel, as all that follows it",
          "[bpf]") {
  dataplane::Options options = marking();
  options.new_flows_per_s = 0;
  Router router(options);
  router.two_upstreams();
  for (const std::uint8_t flags : {kSyn, kAck}) {
    const Outcome outcome = router.steer(build(tcp(40000, flags)));
    CHECK(outcome.reason == "unknown_flow");
    check_untouched(outcome, tcp(40000, flags));
  }
}

TEST_CASE("a flow is held on its uplink through a flap, and is there after it", "[bpf]") {
  Router router(marking());
  router.two_upstreams();
  auto& dataplane = router.dataplane();
  const bool by_tcp = GENERATE(true, false);
  const PacketSpec first = flow_on_first(router, by_tcp ? syn : udp);
  const PacketSpec next = by_tcp ? tcp(first.source_port, kAck) : first;
  const auto path_unusable = [&](bool unusable) {
    const Group group{GroupId{1}, {{PathId{17}, NexthopId{1}, 1}, {PathId{18}, NexthopId{2}, 1}}};
    router.publish(group, {unusable ? 0. : .5, unusable ? 1. : .5}, {!unusable, true});
  };
  const bool of_path = GENERATE(true, false);
  const auto set_unusable = [&](bool unusable) {
    if (of_path)
      path_unusable(unusable);
    else
      dataplane.set_nexthop_usable(NexthopId{1}, !unusable);
  };
  set_unusable(true);
  const Outcome held = router.steer(build(next));
  CHECK(held.reason == "held");
  CHECK(nexthop_of(held) == 1);
  CHECK(dataplane.place(tuple_of(next), Router::now()).nexthop == NexthopId{1});
  CHECK(router.flow(next)->nexthop == 1);
  CHECK(router.event("flow_moved") == 0);

  SECTION("it is back with its uplink") {
    set_unusable(false);
    const Outcome back = router.steer(build(next));
    CHECK(back.reason == "steered");
    CHECK(nexthop_of(back) == 1);
  }
  SECTION("after a long while TCP is the kernel's, but still its uplink's; others begin anew") {
    age(router, next, std::chrono::seconds(31));
    const auto told = dataplane.place(tuple_of(next), Router::now()).nexthop;
    const Outcome later = router.steer(build(next));
    CHECK(later.reason == (by_tcp ? "held" : "steered"));
    CHECK(nexthop_of(later) == (by_tcp ? 0 : 2));
    CHECK(told == (by_tcp ? std::nullopt : std::optional(NexthopId{2})));
    set_unusable(false);
    CHECK(nexthop_of(router.steer(build(next))) == (by_tcp ? 1 : 2));
  }
  SECTION("a new SYN begins anew at once") {
    if (!by_tcp) return;
    CHECK(nexthop_of(router.steer(build(first))) == 2);
    set_unusable(false);
    CHECK(nexthop_of(router.steer(build(next))) == 2);
  }
}
