// Packets with something unusual about them: fragments, options, extension headers, and broken
// ones.
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

void expect_left_alone(Router& router, const Bytes& packet, const std::string& reason) {
  const Outcome outcome = router.steer(packet);
  CHECK(outcome.verdict == kPassed);
  CHECK(outcome.reason == reason);
  CHECK(outcome.bytes == packet);
}

// Ethernet and the fixed IP header.
std::size_t ip_bytes(const PacketSpec& spec) {
  return kEthernetBytes + (IpAddress::parse(spec.source)->is_v4() ? 20 : 40);
}

}  // namespace

TEST_CASE("every fragment of a packet takes the same path, the first one too", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (const bool v6 : {false, true})
    for (const std::uint8_t protocol : {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP})
      for (std::uint16_t id = 0; id < 16; ++id) {
        PacketSpec spec;
        spec.protocol = protocol;
        spec.source = "10.1.0." + std::to_string(id + 2);
        if (v6) spec = to_v6(spec);
        if (v6) spec.source = "2001:db8:1::" + std::to_string(id + 2);
        spec.fragment = Fragment{0, true};
        const std::uint32_t first = router.nexthop_of(spec);
        CHECK(first != 0);
        spec.fragment = Fragment{64, true};
        spec.source_port = 0xbeef;  // where the ports were, there is data now
        CHECK(router.nexthop_of(spec) == first);
        spec.fragment = Fragment{128, false};
        spec.payload = 0;
        CHECK(router.nexthop_of(spec) == first);
      }
}

TEST_CASE("IPv4 options and hop-by-hop options are for the kernel to read", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (const std::size_t bytes : {4, 12, 40}) {
    PacketSpec spec;
    spec.option_bytes = bytes;
    expect_left_alone(router, build(spec), "options");
  }
  PacketSpec spec = to_v6({});
  spec.extensions = {IPPROTO_HOPOPTS};
  expect_left_alone(router, build(spec), "options");
  spec.extensions = {IPPROTO_AH};
  expect_left_alone(router, build(spec), "options");
}

TEST_CASE("up to four extension headers are passed by", "[bpf]") {
  Router router;
  router.two_upstreams();
  PacketSpec spec = to_v6({});
  for (std::size_t headers = 0; headers <= 4; ++headers) {
    spec.extensions.assign(headers, IPPROTO_DSTOPTS);
    if (headers > 1) spec.extensions[1] = IPPROTO_ROUTING;
    INFO(headers << " extension headers");
    CHECK(router.steer(build(spec)).reason == "steered");
  }
  spec.extensions.assign(5, IPPROTO_DSTOPTS);
  expect_left_alone(router, build(spec), "options");
}

TEST_CASE("extension headers do not change the flow", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (std::uint16_t port = 1000; port < 1032; ++port) {
    PacketSpec spec = to_v6({});
    spec.source_port = port;
    const std::uint32_t plain = router.nexthop_of(spec);
    spec.extensions = {IPPROTO_DSTOPTS, IPPROTO_ROUTING};
    CHECK(router.nexthop_of(spec) == plain);
  }
  std::uint64_t packets = 0;
  for (const auto& [path, traffic] : router.dataplane().counters().paths)
    packets += traffic.forward_packets;
  CHECK(packets == 64);
}

TEST_CASE("other protocols, and errors that report on nothing, are left to the kernel", "[bpf]") {
  Router router;
  router.two_upstreams();
  for (const std::uint8_t protocol : {IPPROTO_GRE, IPPROTO_ESP, IPPROTO_SCTP, IPPROTO_IGMP}) {
    PacketSpec spec;
    spec.protocol = protocol;
    expect_left_alone(router, build(spec), "protocol");
    expect_left_alone(router, build(to_v6(spec)), "protocol");
  }
  PacketSpec unreachable;
  unreachable.protocol = IPPROTO_ICMP;
  unreachable.icmp_type = 3;
  expect_left_alone(router, build(unreachable), "malformed");
  unreachable = to_v6(unreachable);
  unreachable.icmp_type = 2;
  expect_left_alone(router, build(unreachable), "malformed");
  unreachable.icmp_type = 137;
  expect_left_alone(router, build(unreachable), "protocol");
}

TEST_CASE("what is not IP passes, and so does what carries a VLAN tag", "[bpf]") {
  Router router;
  router.two_upstreams();
  Bytes frame = build({});
  const std::pair<std::uint16_t, const char*> kinds[] = {{0x0806, "not_ip"},
                                                         {0x8847, "not_ip"},
                                                         {0x0026, "not_ip"},
                                                         {0x8100, "vlan"},
                                                         {0x88a8, "vlan"}};
  for (const auto& [type, reason] : kinds) {
    frame[12] = static_cast<std::uint8_t>(type >> 8);
    frame[13] = static_cast<std::uint8_t>(type);
    expect_left_alone(router, frame, reason);
  }
}

TEST_CASE("a packet cut off anywhere is never redirected", "[bpf]") {
  Router router;
  router.two_upstreams();
  std::vector<PacketSpec> specs(3);
  specs[1].protocol = IPPROTO_UDP;
  specs[2].protocol = IPPROTO_ICMP;
  for (std::size_t i = 0; i < 3; ++i) specs.push_back(to_v6(specs[i]));
  specs.push_back(to_v6({}));
  specs.back().extensions = {IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS};
  specs.push_back(to_v6({}));
  specs.back().fragment = Fragment{0, true};
  for (const PacketSpec& spec : specs) {
    const Bytes whole = build(spec);
    REQUIRE(router.steer(whole).verdict == kRedirect);
    // The kernel makes no test run of less; wire_test.cpp sends those.
    for (std::size_t length = ip_bytes(spec); length < whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      INFO("cut at " << length << " of " << whole.size());
      expect_left_alone(router, cut, "malformed");
    }
  }
}

TEST_CASE("headers that contradict themselves are never redirected", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Bytes v4 = build({}), v6 = build(to_v6({}));
  const auto with = [](Bytes bytes, std::size_t at, std::uint8_t value) {
    bytes[kEthernetBytes + at] = value;
    return bytes;
  };
  for (const std::uint8_t first : Bytes{0x55, 0x44, 0x40, 0x65})
    expect_left_alone(router, with(v4, 0, first), "malformed");
  expect_left_alone(router, with(v6, 0, 0x40), "malformed");
  expect_left_alone(router, with(v4, 10, static_cast<std::uint8_t>(~v4[kEthernetBytes + 10])),
                    "malformed");                           // checksum
  expect_left_alone(router, with(v4, 3, 19), "malformed");  // length
  expect_left_alone(router, with(v6, 4, 0xff), "malformed");
  expect_left_alone(router, with(v6, 5, 7), "malformed");

  PacketSpec spec = to_v6({});
  spec.extensions = {IPPROTO_DSTOPTS};
  expect_left_alone(router, with(build(spec), 41, 255), "malformed");  // longer than the packet
}

TEST_CASE("bytes after the end of the IP packet are padding, not a fault", "[bpf]") {
  Router router;
  router.two_upstreams();
  PacketSpec spec;
  spec.payload = 0;
  Bytes frame = build(spec);
  frame.resize(60);
  CHECK(router.steer(frame).reason == "steered");
  CHECK(router.dataplane().counters().paths.at(PathId{17}).forward_bytes +
            router.dataplane().counters().paths.at(PathId{18}).forward_bytes ==
        28);
}

TEST_CASE("no random bytes are ever redirected wrongly or crash the program", "[bpf]") {
  Router router;
  router.two_upstreams();
  std::uint32_t state = 20261121;
  const auto random = [&state] { return state = state * 1664525U + 1013904223U, state >> 8; };
  for (int run = 0; run < 4000; ++run) {
    PacketSpec spec;
    spec.protocol = random() % 3 == 0 ? 1 : 17;
    if (run % 2 == 0) spec = to_v6(spec);
    if (run % 4 == 0) spec.extensions = {IPPROTO_DSTOPTS};
    Bytes frame = build(spec);
    for (int flips = 0; flips < 3; ++flips)
      frame[12 + random() % (frame.size() - 12)] = static_cast<std::uint8_t>(random());
    const Outcome outcome = router.steer(frame);
    if (outcome.verdict == kPassed) {
      REQUIRE(outcome.bytes == frame);
      REQUIRE(outcome.reason != "steered");
    } else {
      REQUIRE(outcome.verdict == kRedirect);
      REQUIRE(outcome.reason == "steered");
      const bool v4 = outcome.bytes[12] == 8 && outcome.bytes[13] == 0;
      if (v4) REQUIRE(checksum_holds(outcome.bytes));
    }
  }
}
