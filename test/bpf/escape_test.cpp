// Where a flow goes that leaves its nexthop by itself, how often it may, and that it stays there.
#include "bpf/hash.h"
#include "test/bpf/conversation.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using namespace std::chrono_literals;
using dataplane::Affinity;

namespace {

// Three nexthops, and a TCP flow that is not answered.
struct Unanswered {
  explicit Unanswered(const dataplane::Options& options = {})
      : router(options), flow((three_upstreams(router), router), Family::v4) {}

  static void three_upstreams(Router& router) {
    for (std::uint32_t id = 1; id <= 3; ++id) router.nexthop(id, "192.0.2." + std::to_string(id));
    router.group(1, {{1, 1}, {2, 1}, {3, 1}});
    router.route("0.0.0.0/0", 1);
  }
  // All buckets, so that it is known what the flow's own says.
  void buckets_to(std::uint32_t hop) {
    const Group group{GroupId{1},
                      {{PathId{17}, NexthopId{1}, 1},
                       {PathId{18}, NexthopId{2}, 1},
                       {PathId{19}, NexthopId{3}, 1}}};
    router.publish(group, {hop == 1 ? 1. : 0., hop == 2 ? 1. : 0., hop == 3 ? 1. : 0.},
                   {true, true, true});
  }
  void knock() { flow.send({.sequence = 1000, .flags = kSyn}); }
  // As if the SYN's time-out had passed, and `since_last` since the flow last moved.
  void knock_after(Duration since_last) {
    flow.age(since_last);
    knock();
  }

  Router router;
  Conversation flow;
};

dataplane::Options sampling_all() {
  dataplane::Options options;
  options.sample_share = 1;
  return options;
}

}  // namespace

TEST_CASE("a flow escapes at once, then not before 1, 2 and 4 seconds, and not a fifth time",
          "[bpf][escape]") {
  Unanswered f;
  f.knock();
  std::uint32_t at = f.flow.nexthop();
  f.knock_after(1100ms);
  for (int escapes = 1; escapes <= 4; ++escapes) {
    INFO("after escape " << escapes);
    CHECK(f.flow.nexthop() != at);
    CHECK(f.flow.entry().escapes == escapes);
    at = f.flow.nexthop();
    if (escapes == 4) break;
    const auto pause = std::chrono::seconds(1 << (escapes - 1));
    hw_flow entry = f.flow.entry();
    entry.seen.progress_ns -= std::chrono::nanoseconds(pause + 10s).count();
    f.flow.set_entry(entry);
    f.knock_after(pause - 200ms);
    CHECK(f.flow.nexthop() == at);
    f.knock_after(300ms);
  }
  for (int i = 0; i < 5; ++i) f.knock_after(1h);
  CHECK(f.flow.nexthop() == at);
  CHECK(f.router.event("escaped") == 4);
  CHECK(f.router.event("flow_moved") == 4);
  std::uint64_t left = 0;
  for (const auto& [path, traffic] : f.router.dataplane().counters().paths) left += traffic.escapes;
  CHECK(left == 4);
}

TEST_CASE("a flow that has just moved, ahead of the coarse clock, stays", "[bpf][escape]") {
  Unanswered f;
  f.knock();
  f.knock_after(1100ms);
  hw_flow entry = f.flow.entry();
  REQUIRE(entry.escapes == 1);
  entry.seen.progress_ns = entry.moved_ns - std::chrono::nanoseconds(10s).count();
  entry.moved_ns += std::chrono::nanoseconds(20ms).count();
  f.flow.set_entry(entry);
  f.knock();
  CHECK(f.flow.entry().escapes == 1);
}

TEST_CASE("no flow escapes to a nexthop or path that is not usable", "[bpf][escape]") {
  Unanswered f;
  f.knock();
  const std::uint32_t first = f.flow.nexthop();
  const std::uint32_t dead = first % 3 + 1, living = 6 - first - dead;
  f.router.dataplane().set_nexthop_usable(NexthopId{dead}, false);
  SECTION("one is left") {
    f.knock_after(1100ms);
    CHECK(f.flow.nexthop() == living);
    CHECK(f.router.dataplane().counters().paths.at(PathId{16 + first}).escapes == 1);
  }
  SECTION("none is left") {
    f.router.dataplane().set_nexthop_usable(NexthopId{living}, false);
    f.knock_after(1100ms);
    CHECK(f.flow.nexthop() == first);
    CHECK(f.flow.entry().escapes == 0);
    CHECK(f.router.event("escaped") == 0);
  }
}

TEST_CASE("an escaped flow stays on its new nexthop", "[bpf][escape]") {
  const auto affinity = GENERATE(Affinity::flow, Affinity::flowlet, Affinity::bucket);
  Unanswered f(sampling_all());
  f.router.dataplane().set_affinity(GroupId{1}, affinity, 100ms);
  f.buckets_to(1);
  f.knock();
  REQUIRE(f.flow.nexthop() == 1);
  f.knock_after(1100ms);
  const std::uint32_t refuge = f.flow.nexthop();
  REQUIRE(refuge != 1);
  f.flow.receive({.sequence = 4999, .acknowledged = 1001, .flags = kSyn | kAck});
  const auto next = [&] {
    f.flow.age(300ms);
    f.flow.send({.sequence = 1001, .acknowledged = 5000});
    return f.flow.nexthop();
  };
  CHECK(next() == refuge);  // though its bucket still names the nexthop that it left
  CHECK(next() == refuge);

  const std::uint32_t third = 5 - refuge;
  f.buckets_to(third);
  CHECK(next() == (affinity == Affinity::flow ? refuge : third));
  CHECK(f.router.event("escaped") == 1);
}

TEST_CASE("a refuge that dies is left like any other nexthop", "[bpf][escape]") {
  Unanswered f;
  f.knock();
  f.knock_after(1100ms);
  const std::uint32_t refuge = f.flow.nexthop();
  f.router.dataplane().set_nexthop_usable(NexthopId{refuge}, false);
  f.knock();
  CHECK(f.flow.nexthop() != refuge);
  CHECK(f.flow.entry().escapes == 1);
  CHECK(f.router.event("escaped") == 1);
  CHECK(f.router.event("flow_moved") == 2);
}

TEST_CASE("with escapes switched off, and in the control group, nobody escapes", "[bpf][escape]") {
  dataplane::Options options;
  options.escape = GENERATE(false, true);
  options.control_share = options.escape ? 1 : 0;
  Router router(options);
  Unanswered::three_upstreams(router);
  Conversation flow(router, Family::v4);
  const Bytes syn = flow.frame_of({.sequence = 1000, .flags = kSyn});
  router.steer(syn);
  const std::uint32_t first = flow.nexthop();
  CHECK((first == 0) == options.escape);
  for (int i = 0; i < 3; ++i) {
    flow.age(2s);
    router.steer(syn);
  }
  CHECK(flow.nexthop() == first);
  CHECK(router.event("escaped") == 0);
}

TEST_CASE("escapes of which the ring has no room left are counted", "[bpf][escape]") {
  Router router;
  Unanswered::three_upstreams(router);
  constexpr std::uint32_t kMore = 65536 / 32 + 10;  // an event and its header take 32 bytes
  PacketSpec spec;
  spec.content = {0, 0, 0, 0, 0x50, kSyn, 1, 0, 0, 0, 0, 0};  // the rest of a TCP header
  for (std::uint32_t n = 0; n < kMore; ++n) {
    spec.source = "10.1." + std::to_string(n / 250) + '.' + std::to_string(2 + n % 250);
    REQUIRE(router.steer(build(spec)).verdict == kRedirect);
    hw_flow flow = *router.flow(spec);
    flow.seen.progress_ns -= 2'000'000'000;
    router.set_flow(spec, flow);
    REQUIRE(router.steer(build(spec)).verdict == kRedirect);
  }
  std::uint64_t told = 0;
  router.dataplane().take_escapes([&](const dataplane::Escape&) { ++told; });
  CHECK(router.event("escaped") == kMore);
  CHECK(told < kMore);
  CHECK(router.event("escape_untold") == kMore - told);
}
