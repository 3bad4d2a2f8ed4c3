// How a packet is sent: to a neighbour whose address is kept here, to one that the kernel looks up,
// by a mark; and how long any of it is trusted.
#include <bpf/bpf.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Link;

namespace {

const Link kLink{{2, 0, 0, 0, 2, 1}, {2, 0, 0, 0, 9, 9}};

dataplane::Options marking() {
  dataplane::Options options;
  options.actuator = dataplane::Actuator::mark;
  return options;
}

Bytes with_link(Bytes frame, const Link& link) {
  std::copy(link.gateway.begin(), link.gateway.end(), frame.begin());
  std::copy(link.interface.begin(), link.interface.end(), frame.begin() + 6);
  return frame;
}

void one_upstream(Router& router) {
  router.nexthop(1, "192.0.2.1");
  router.nexthop(3, "2001:db8:2::1");
  router.group(1, {{1, 1}});
  router.group(2, {{3, 1}});
  router.route("0.0.0.0/0", 1);
  router.route("::/0", 2);
}

Bytes one_hop_less(PacketSpec spec) {
  --spec.hops;
  return build(spec);
}

}  // namespace

TEST_CASE("with a neighbour's address kept here the program writes it itself", "[bpf]") {
  const PacketSpec spec = GENERATE(PacketSpec{}, to_v6({}));
  const NexthopId id{to_v6(spec).source == spec.source ? 3U : 1U};
  Router router;
  one_upstream(router);
  auto& dataplane = router.dataplane();
  const auto sent = [&](const char* how) {
    const std::uint64_t before = router.event(how);
    const Outcome outcome = router.steer(build(spec));
    CHECK(outcome.verdict == kRedirect);
    CHECK(outcome.reason == "steered");
    CHECK(router.event(how) == before + 1);
    return outcome.bytes;
  };
  CHECK(sent("sent_resolved") == one_hop_less(spec));
  dataplane.set_nexthop_link(id, kLink);
  CHECK(sent("sent_direct") == with_link(one_hop_less(spec), kLink));

  SECTION("a changed address is the next packet's") {
    Link other = kLink;
    other.gateway[5] = 77;
    dataplane.set_nexthop_link(id, other);
    CHECK(sent("sent_direct") == with_link(one_hop_less(spec), other));
    dataplane.set_nexthop_link(id, std::nullopt);
    CHECK(sent("sent_resolved") == one_hop_less(spec));
    dataplane.set_nexthop_link(id, kLink);
    CHECK(sent("sent_direct") == with_link(one_hop_less(spec), kLink));
  }
  SECTION("whether the nexthop is usable has nothing to do with it") {
    dataplane.set_nexthop_usable(id, false);
    CHECK(router.steer(build(spec)).reason == "no_nexthop");
    dataplane.set_nexthop_usable(id, true);
    CHECK(sent("sent_direct") == with_link(one_hop_less(spec), kLink));
  }
  SECTION("a nexthop whose key changes loses it") {
    const NexthopKey key{1, *IpAddress::parse(id == NexthopId{1} ? "192.0.2.9" : "2001:db8:2::9")};
    REQUIRE(dataplane.set_nexthop({id, key, "lo", "x"}));
    dataplane.set_nexthop_usable(id, true);
    CHECK(sent("sent_resolved") == one_hop_less(spec));
  }
  SECTION("it is trusted for two seconds after the last renewal only") {
    dataplane.renew_lease(Router::now() - std::chrono::seconds(3));
    CHECK(sent("sent_resolved") == one_hop_less(spec));
    dataplane.renew_lease(Router::now());
    CHECK(sent("sent_direct") == with_link(one_hop_less(spec), kLink));
  }
}

TEST_CASE("an MTU kept here is as good as the kernel's, and trusted as long as addresses",
          "[bpf]") {
  Router router;
  one_upstream(router);
  auto& dataplane = router.dataplane();
  PrivateNamespace::run("ip link set lo mtu 1300");
  const auto told = [&](std::uint32_t mtu) {
    dataplane::Link link = kLink;
    link.mtu = mtu;
    for (const std::uint32_t id : {1U, 3U}) dataplane.set_nexthop_link(NexthopId{id}, link);
  };
  for (const bool v6 : {false, true}) {
    const auto reason = [&](std::size_t bytes) {
      PacketSpec spec = v6 ? to_v6({}) : PacketSpec{};
      spec.payload = bytes - (v6 ? 40 : 20) - 8;
      const Bytes frame = build(spec);
      REQUIRE(frame.size() == kEthernetBytes + bytes);
      return router.steer(frame).reason;
    };
    told(1400);
    CHECK(reason(1400) == "steered");  // the kernel was not asked
    CHECK(reason(1401) == "mtu");
    dataplane.renew_lease(Router::now() - std::chrono::seconds(3));
    CHECK(reason(1400) == "mtu");
    dataplane.renew_lease(Router::now());
    told(1300);
    CHECK(reason(1300) == "steered");
    CHECK(reason(1301) == "mtu");
    told(1280);
    CHECK(reason(1300) == "steered");  // what is larger is the kernel's to say
    told(0);
    CHECK(reason(1300) == "steered");
    CHECK(reason(1301) == "mtu");
  }
}

TEST_CASE("padding behind a packet counts for the MTU", "[bpf]") {
  const bool direct = GENERATE(false, true);
  Router router;
  one_upstream(router);
  PrivateNamespace::run("ip link set lo mtu 1300");
  dataplane::Link link = kLink;
  link.mtu = 1300;
  if (direct) router.dataplane().set_nexthop_link(NexthopId{1}, link);
  Bytes frame = build({});
  frame.resize(kEthernetBytes + 1300);
  CHECK(router.steer(frame).reason == "steered");
  frame.resize(kEthernetBytes + 1301);
  CHECK(router.steer(frame).reason == "mtu");
}

TEST_CASE("the trust in neighbours never outlasts the lease, and ends with it", "[bpf]") {
  dataplane::Options options;
  options.lease = std::chrono::milliseconds(700);
  Router router(options);
  CHECK(router.lease().neighbours_ns == router.lease().expires_ns);
  router.dataplane().end_lease();
  CHECK(router.lease().neighbours_ns == 0);
  CHECK(router.lease().expires_ns == 0);
}

TEST_CASE("weights that are held outlast the lease, but not its end", "[bpf]") {
  dataplane::Options options;
  options.hold_weights = true;
  Router router(options);
  one_upstream(router);
  auto& dataplane = router.dataplane();
  const FlowTuple tuple{*IpAddress::parse("10.1.0.2"), *IpAddress::parse("203.0.113.9"),
                        IPPROTO_TCP, 40000, 443};
  dataplane.renew_lease(Router::now() - std::chrono::hours(1));
  CHECK(router.steer(build({})).reason == "steered");
  CHECK(dataplane.place(tuple, Router::now()).nexthop == NexthopId{1});
  dataplane.end_lease();
  CHECK(router.steer(build({})).reason == "lease_over");
  CHECK_FALSE(dataplane.place(tuple, Router::now()).nexthop);
}

TEST_CASE("the mark actuator sets the nexthop's mark and nothing else", "[bpf]") {
  Router router(marking());
  one_upstream(router);
  PacketSpec usual;
  usual.protocol = IPPROTO_UDP;
  PacketSpec expiring = usual, big = usual;
  expiring.hops = 1;
  big.payload = 3000;
  PrivateNamespace::run("ip link set lo mtu 1300");
  for (const PacketSpec& v4 : {usual, expiring, big})
    for (const PacketSpec& spec : {v4, to_v6(v4)}) {
      const Outcome outcome = router.steer(build(spec));
      CHECK(outcome.verdict == kPassed);
      CHECK(outcome.reason == "steered");
      CHECK(outcome.bytes == build(spec));
      CHECK(outcome.mark == 0x68770000U + (spec.source == v4.source ? 1 : 3));
    }
  CHECK(router.flow(usual)->nexthop == 1);
  CHECK(router.dataplane().counters().paths.at(PathId{17}).forward_packets == 3);
}

TEST_CASE("a packet that carries a mark already is left alone by the mark actuator", "[bpf]") {
  Router router(marking());
  one_upstream(router);
  Skb marked;
  marked.mark = 7;
  const Outcome outcome = router.steer(build({}), marked);
  CHECK(outcome.verdict == kPassed);
  CHECK(outcome.reason == "marked");
  CHECK(outcome.mark == 7);
  CHECK_FALSE(router.flow({}));
  router.restart_with([](auto& options) { options.actuator = dataplane::Actuator::redirect; });
  CHECK(router.steer(build({}), marked).reason == "steered");
}

TEST_CASE("aggregates are judged by the skb where the IP header cannot say their length", "[bpf]") {
  Router router;
  one_upstream(router);
  Skb aggregate;
  aggregate.gso_size = 20;
  aggregate.gso_segs = 2;
  PacketSpec spec;
  spec.payload = 12 + 40;
  for (const bool v6 : {false, true}) {
    const PacketSpec whole = v6 ? to_v6(spec) : spec;
    Bytes frame = build(whole);
    if (v6) {
      frame[kEthernetBytes + 4] = frame[kEthernetBytes + 5] = 0;
    } else {
      const std::uint32_t sum = (frame[kEthernetBytes + 10] << 8 | frame[kEthernetBytes + 11]) +
                                (frame[kEthernetBytes + 2] << 8 | frame[kEthernetBytes + 3]);
      const std::uint32_t folded = (sum & 0xffff) + (sum >> 16);
      frame[kEthernetBytes + 2] = frame[kEthernetBytes + 3] = 0;
      frame[kEthernetBytes + 10] = static_cast<std::uint8_t>(folded >> 8);
      frame[kEthernetBytes + 11] = static_cast<std::uint8_t>(folded);
      REQUIRE(checksum_holds(frame));
    }
    CHECK(router.steer(frame).reason == "malformed");
    CHECK(router.steer(frame, aggregate).reason == "steered");
    const auto traffic = router.dataplane().counters().paths.at(PathId{v6 ? 33U : 17U});
    CHECK(traffic.forward_packets == 2);
    CHECK(traffic.forward_bytes == frame.size() - kEthernetBytes);
  }
}

TEST_CASE("the jumbo option that the kernel puts into an aggregate is passed by", "[bpf]") {
  Router router;
  one_upstream(router);
  PacketSpec spec = to_v6({});
  spec.extensions = {IPPROTO_HOPOPTS};
  spec.payload = 12 + 40;
  Bytes frame = build(spec);
  const std::array<std::uint8_t, 6> jumbo{0xc2, 4, 0, 1, 0, 0};
  std::copy(jumbo.begin(), jumbo.end(), frame.begin() + kEthernetBytes + 42);
  Skb aggregate;
  aggregate.gso_size = 20;
  aggregate.gso_segs = 2;
  CHECK(router.steer(frame, aggregate).reason == "options");
  frame[kEthernetBytes + 4] = frame[kEthernetBytes + 5] = 0;
  CHECK(router.steer(frame, aggregate).reason == "steered");
  CHECK(router.steer(frame).reason != "steered");
  frame[kEthernetBytes + 42] = 5;  // router alert
  CHECK(router.steer(frame, aggregate).reason == "options");
}

TEST_CASE("no packet ever leaves with half of an old address and half of a new one", "[bpf]") {
  Router router;
  one_upstream(router);
  const Link other{{0xa, 0xb, 0xc, 0xd, 0xe, 0xf}, {0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f}};
  const Bytes resolved = one_hop_less({});
  const Bytes wanted[] = {resolved, with_link(resolved, kLink), with_link(resolved, other)};
  std::atomic<bool> done = false;
  std::array<std::atomic<int>, 4> seen{};
  std::thread sender([&] {
    const int program = router.steer_fd();
    Bytes frame = build({}), out(512);
    while (!done) {
      bpf_test_run_opts run{};
      run.sz = sizeof(run);
      run.data_in = frame.data();
      run.data_size_in = static_cast<__u32>(frame.size());
      run.data_out = out.data();
      run.data_size_out = static_cast<__u32>(out.size());
      run.repeat = 1;
      if (bpf_prog_test_run_opts(program, &run) != 0) break;
      const Bytes got(out.begin(), out.begin() + run.data_size_out);
      ++seen.at(static_cast<std::size_t>(std::find(wanted, wanted + 3, got) - wanted));
    }
  });
  const auto deadline = Router::now() + std::chrono::seconds(20);
  for (std::size_t i = 0; i < 40 && Router::now() < deadline; ++i) {
    router.dataplane().renew_lease(Router::now());
    const std::size_t now = 1 + i % 2;
    const int before = seen.at(now);
    router.dataplane().set_nexthop_link(NexthopId{1}, now == 1 ? kLink : other);
    while (seen.at(now) == before && Router::now() < deadline) std::this_thread::yield();
  }
  done = true;
  sender.join();
  CHECK(seen[1] > 0);
  CHECK(seen[2] > 0);
  CHECK(seen[3] == 0);
}
