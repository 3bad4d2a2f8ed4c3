#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

TEST_CASE("what comes back counts for the path that carried the flow", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (const bool v6 : {false, true})
    for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP}) {
      PacketSpec spec;
      spec.protocol = protocol;
      if (v6) spec = to_v6(spec);
      const std::uint32_t hop = router.nexthop_of(spec);
      REQUIRE(hop != 0);
      const PathId path{v6 ? 32 + hop - 2 : 16 + hop};
      const auto before = router.dataplane().counters().paths.at(path);
      PacketSpec answer = reversed(spec);
      answer.payload = 100;
      CHECK(router.observe(build(answer)) == kPassed);
      const auto after = router.dataplane().counters().paths.at(path);
      CHECK(after.reverse_packets == before.reverse_packets + 1);
      CHECK(after.reverse_bytes == before.reverse_bytes + 100 + 8 + (v6 ? 40 : 20));
      CHECK(after.forward_packets == before.forward_packets);
    }
}

TEST_CASE("what belongs to no flow of ours, or is broken, counts for nothing", "[bpf]") {
  Router router;
  router.two_upstreams();
  REQUIRE(router.nexthop_of({}) != 0);
  PacketSpec stranger = reversed({});
  ++stranger.destination_port;
  const Bytes answer = build(reversed({}));
  CHECK(router.observe(build(stranger)) == kPassed);
  CHECK(router.observe(build({})) == kPassed);
  for (std::size_t length = kEthernetBytes + 20; length < answer.size(); ++length)
    CHECK(router.observe({answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(length)}) ==
          kPassed);
  for (const auto& [path, traffic] : router.dataplane().counters().paths)
    CHECK(traffic.reverse_packets == 0);
}
