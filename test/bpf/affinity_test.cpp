// How long flows stay where they are: affinity, embryos and lasting entries, the control group.
#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>

#include "bpf/hash.h"
#include "test/bpf/conversation.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Affinity;

namespace {

constexpr std::uint64_t kMs = 1'000'000;

PacketSpec flow_number(std::uint32_t n) {
  PacketSpec spec;
  spec.source = "10.1." + std::to_string(n / 250 % 250) + '.' + std::to_string(2 + n % 250);
  spec.source_port = static_cast<std::uint16_t>(1024 + n);
  return spec;
}

// One group of two nexthops; all flows' buckets can be sent from one to the other.
struct TwoPaths {
  explicit TwoPaths(const dataplane::Options& options = {}) : router(options) {
    router.nexthop(1, "192.0.2.1");
    router.nexthop(2, "192.0.2.2");
    group = router.group(1, {{1, 1}, {2, 1}});
    router.route("0.0.0.0/0", 1);
    all_to(1);
  }
  void all_to(std::uint32_t hop) {
    router.publish(group, {hop == 1 ? 1. : 0., hop == 2 ? 1. : 0.}, {true, true});
  }
  // As if the flow had paused.
  void age(const PacketSpec& spec, std::uint64_t ns) {
    hw_flow flow = *router.flow(spec);
    flow.last_seen_ns -= ns;
    router.set_flow(spec, flow);
  }
  Router router;
  Group group;
};

dataplane::Options sampling(double share) {
  dataplane::Options options;
  options.sample_share = share;
  return options;
}

}  // namespace

TEST_CASE("affinity flow: a pause moves nobody", "[bpf]") {
  TwoPaths two;
  REQUIRE(two.router.nexthop_of({}) == 1);
  two.all_to(2);
  two.age({}, 60'000 * kMs);
  CHECK(two.router.nexthop_of({}) == 1);
}

TEST_CASE("affinity flowlet: after a gap the bucket decides, and not before", "[bpf]") {
  TwoPaths two;
  two.router.dataplane().set_affinity(two.group.id, Affinity::flowlet,
                                      std::chrono::milliseconds(200));
  REQUIRE(two.router.nexthop_of({}) == 1);
  two.all_to(2);
  two.age({}, 50 * kMs);
  CHECK(two.router.nexthop_of({}) == 1);
  two.age({}, 201 * kMs);
  CHECK(two.router.nexthop_of({}) == 2);
  CHECK(two.router.flow({})->nexthop == 2);
  CHECK(two.router.flow({})->moved_ns != 0);
  CHECK(two.router.event("flow_moved") == 1);
  two.all_to(1);
  CHECK(two.router.nexthop_of({}) == 2);
}

TEST_CASE("affinity bucket: every packet follows its bucket; only a sample has an entry", "[bpf]") {
  TwoPaths two(sampling(0.25));
  two.router.dataplane().set_affinity(two.group.id, Affinity::bucket, {});
  int entries = 0;
  for (std::uint32_t n = 0; n < 400; ++n) {
    REQUIRE(two.router.nexthop_of(flow_number(n)) == 1);
    entries += two.router.flow(flow_number(n)) ? 1 : 0;
  }
  CHECK(entries > 60);
  CHECK(entries < 140);
  CHECK(two.router.event("flow_new") == static_cast<std::uint64_t>(entries));
  two.all_to(2);
  for (std::uint32_t n = 0; n < 400; ++n) {
    REQUIRE(two.router.nexthop_of(flow_number(n)) == 2);
    const auto flow = two.router.flow(flow_number(n));
    if (flow) CHECK(flow->nexthop == 2);
  }
  CHECK(two.router.event("flow_moved") == static_cast<std::uint64_t>(entries));
  CHECK(two.router.dataplane().counters().paths.at(PathId{18}).forward_packets == 400);
}

TEST_CASE("a new group has affinity flow, whatever the last of its number had", "[bpf]") {
  TwoPaths two;
  auto& dataplane = two.router.dataplane();
  dataplane.set_affinity(two.group.id, Affinity::bucket, {});
  REQUIRE(dataplane.set_group(two.group));  // the same again: no new group
  REQUIRE(two.router.nexthop_of({}) == 1);
  two.all_to(2);
  CHECK(two.router.nexthop_of({}) == 2);
  REQUIRE(dataplane.remove_route(*Prefix::parse("0.0.0.0/0")));
  dataplane.remove_group(two.group.id);
  REQUIRE(dataplane.set_group(two.group));
  two.router.route("0.0.0.0/0", 1);
  two.all_to(1);
  const PacketSpec next = flow_number(7);
  REQUIRE(two.router.nexthop_of(next) == 1);
  two.all_to(2);
  CHECK(two.router.nexthop_of(next) == 1);
}

TEST_CASE("an embryo lasts once a packet follows the answer, or without one after sixteen",
          "[bpf]") {
  TwoPaths two;
  Router& router = two.router;
  PacketSpec spec;
  SECTION("after the answer") {
    spec.protocol = IPPROTO_UDP;
    REQUIRE(router.nexthop_of(spec) == 1);
    router.observe(build(reversed(spec)));
    CHECK(router.embryo(spec));
    CHECK((router.embryo(spec)->flags & HW_FLOW_ANSWERED) != 0);
    CHECK(router.embryo(spec)->reverse_packets == 1);
    CHECK(router.event("flow_promoted") == 0);
    REQUIRE(router.nexthop_of(spec) == 1);
    CHECK(router.flow(spec)->packets == 2);
    CHECK(router.flow(spec)->reverse_packets == 1);
  }
  SECTION("without an answer") {
    for (int i = 0; i < 16; ++i) REQUIRE(router.nexthop_of(spec) == 1);
    CHECK(router.embryo(spec));
    REQUIRE(router.nexthop_of(spec) == 1);
    CHECK(router.flow(spec)->packets == 17);
  }
  CHECK_FALSE(router.embryo(spec));
  CHECK(router.event("flow_new") == 1);
  CHECK(router.event("flow_promoted") == 1);
  router.observe(build(reversed(spec)));
  CHECK(router.flow(spec)->reverse_packets > 0);
}

TEST_CASE("a TCP embryo lasts once its sender has seen what the peer said", "[bpf]") {
  TwoPaths two;
  Router& router = two.router;
  Conversation tcp(router, Family::v4);
  tcp.send({.sequence = 100, .flags = kSyn});
  tcp.receive({.sequence = 7000, .acknowledged = 101, .flags = kSyn | kAck});
  tcp.send({.sequence = 100, .flags = kSyn});  // a blind sender can do so much
  tcp.send({.sequence = 101, .acknowledged = 1, .payload = 10});
  tcp.send({.sequence = 111, .acknowledged = 1, .payload = 10});
  CHECK(router.event("flow_promoted") == 0);
  tcp.send({.sequence = 121, .acknowledged = 7001});
  tcp.send({.sequence = 121, .acknowledged = 7001, .payload = 10});
  CHECK(router.event("flow_promoted") == 1);
}

TEST_CASE("beyond the budget new flows are served by their buckets, without an entry", "[bpf]") {
  dataplane::Options options;
  options.new_flows_per_s = 0;
  TwoPaths two(options);
  for (std::uint32_t n = 0; n < 20; ++n) CHECK(two.router.nexthop_of(flow_number(n)) == 1);
  CHECK_FALSE(two.router.flow(flow_number(0)));
  CHECK(two.router.event("flow_guarded") == 20);
  CHECK(two.router.event("flow_new") == 0);
}

TEST_CASE("a flood of new flows, answered ones too, pushes out no lasting entry", "[bpf]") {
  dataplane::Options options;
  options.new_flows_per_s = 1'000'000'000;
  TwoPaths two(options);
  Router& router = two.router;
  const auto known = [](std::uint32_t n) {
    PacketSpec spec = flow_number(n);
    spec.protocol = IPPROTO_UDP;
    return spec;
  };
  for (std::uint32_t n = 0; n < 100; ++n) {
    REQUIRE(router.nexthop_of(known(n)) == 1);
    router.observe(build(reversed(known(n))));
    REQUIRE(router.nexthop_of(known(n)) == 1);
  }
  two.all_to(2);
  // As a flood leaves them: straight into the table, twice what it holds.
  const int embryos = router.map_fd("hw_embryos");
  hw_flow_key key = key_of({});
  const hw_flow flow{};
  for (std::uint32_t n = 0; n < 2 * HW_MAX_EMBRYOS; ++n) {
    std::memcpy(key.source, &n, sizeof(n));
    REQUIRE(bpf_map_update_elem(embryos, &key, &flow, BPF_ANY) == 0);
  }
  PacketSpec fresh;
  fresh.destination_port = 80;
  REQUIRE(router.nexthop_of(fresh) == 2);
  CHECK(router.embryo(fresh));
  for (std::uint32_t n = 0; n < 100; ++n) CHECK(router.nexthop_of(known(n)) == 1);
}

TEST_CASE("the control group's share of flows is left to the kernel, and counted", "[bpf]") {
  dataplane::Options options;
  options.control_share = 0.25;
  options.new_flows_per_s = 1'000'000'000;
  TwoPaths two(options);
  Router& router = two.router;
  std::uint64_t control = 0;
  std::array<int, 2> of_bucket_half{};
  std::uint64_t sampled = 0;
  for (std::uint32_t n = 0; n < 2000; ++n) {
    const PacketSpec spec = flow_number(n);
    const Outcome outcome = router.steer(build(spec));
    if (outcome.reason != "control") {
      REQUIRE(outcome.reason == "steered");
      continue;
    }
    ++control;
    CHECK(outcome.verdict == kPassed);
    CHECK(outcome.bytes == build(spec));
    const FlowTuple tuple{*IpAddress::parse(spec.source), *IpAddress::parse(spec.destination),
                          spec.protocol, spec.source_port, spec.destination_port};
    const FlowPlacement placement = router.dataplane().place(tuple, Router::now());
    CHECK_FALSE(placement.nexthop);
    CHECK_FALSE(placement.flow_nexthop);
    ++of_bucket_half.at(placement.bucket / (HW_BUCKETS / 2));
    const hw_flow_key key = key_of(spec);
    sampled += hw_in_share(hw_flow_hash(&key, router.lease().hash_seed), HW_SAMPLE_BITS, 32768);
    CHECK((router.flow(spec)->flags & HW_FLOW_CONTROL) != 0);
  }
  CHECK(control > 400);  // 500 on average, standard deviation 19
  CHECK(control < 600);
  for (const int flows : of_bucket_half) CHECK(flows > static_cast<int>(control) * 2 / 5);
  CHECK(sampled > control * 2 / 5);
  CHECK(sampled < control * 3 / 5);
  const auto traffic = router.dataplane().counters().control.at(two.group.id);
  CHECK(traffic.forward_packets == control);
  CHECK(router.dataplane().counters().paths.at(PathId{17}).forward_packets == 2000 - control);
}

TEST_CASE("a changed share of the control group moves nobody", "[bpf]") {
  dataplane::Options options;
  options.control_share = 0.5;
  TwoPaths two(options);
  Router& router = two.router;
  std::vector<std::string> before;
  for (std::uint32_t n = 0; n < 40; ++n)
    before.push_back(router.steer(build(flow_number(n))).reason);
  CHECK(std::count(before.begin(), before.end(), "control") > 5);
  CHECK(std::count(before.begin(), before.end(), "steered") > 5);
  const auto restart_with = [&](double share) {
    router.restart_with([&](dataplane::Options& changed) { changed.control_share = share; });
  };
  for (const double share : {0.0001, 1.0}) {
    restart_with(share);
    for (std::uint32_t n = 0; n < 40; ++n)
      CHECK(router.steer(build(flow_number(n))).reason == before[n]);
    PacketSpec fresh = flow_number(share < 1 ? 100 : 101);
    CHECK(router.steer(build(fresh)).reason == (share < 1 ? "steered" : "control"));
  }
  restart_with(0);  // no control group any more: its flows are steered like all others
  for (std::uint32_t n = 0; n < 40; ++n) CHECK(router.nexthop_of(flow_number(n)) != 0);
  CHECK(router.steer(build(flow_number(101))).reason == "steered");
}

TEST_CASE("a control flow's answers and errors count for its group", "[bpf]") {
  dataplane::Options options;
  options.control_share = 1;
  TwoPaths two(options);
  Router& router = two.router;
  REQUIRE(router.steer(build({})).reason == "control");
  router.observe(build(reversed({})));
  const PacketSpec error = error_about(reversed({}), {PacketSpec{}.source});
  CHECK(router.steer(build(error)).reason == "control");
  const auto traffic = router.dataplane().counters().control.at(two.group.id);
  CHECK(traffic.forward_packets == 2);
  CHECK(traffic.reverse_packets == 1);
}
