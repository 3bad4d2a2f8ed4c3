// All kinds of probes against peers that keep the rules: the kernel's TCP, and
// our own reflector.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <map>
#include <set>

#include "probes/reflect/reflector.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"
#include "test/unit/probes/socket/talk.hpp"
#include "test/unit/probes/tap.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t kOpenPort = 443, kClosedPort = 444, kStampPort = 862;

// A gateway whose anchors answer all kinds.
struct Peer {
  Peer(const NetNamespace& where, boost::asio::io_context& io) : tap(where, "eth0") {
    const NetNamespace::Visit visit(where);
    listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(kOpenPort);
    REQUIRE(bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) == 0);
    REQUIRE(listen(listener, 1024) == 0);
    auto opened = Reflector::open(io, {});
    INFO((opened ? "" : opened.error().message));
    REQUIRE(opened.has_value());
    reflector = std::move(*opened);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { close(listener); }

  // Reads what came, and counts it.
  void count() {
    for (const Seen& seen : tap.read()) {
      if (seen.is_echo_request()) echoes++, checksums.insert(seen.half(2));
      if (seen.is_syn()) syns[seen.half(2)]++, tcp_ports.insert(seen.half(0));
      if (seen.protocol == Seen::kUdp && seen.half(2) == kStampPort)
        stamps++, udp_ports.insert(seen.half(0));
    }
  }
  std::uint64_t of(const Anchor& anchor) {
    if (anchor.kind == ProbeKind::icmp) return echoes;
    if (anchor.kind == ProbeKind::stamp) return stamps;
    return syns[anchor.port];
  }

  Tap tap;
  int listener = -1;
  std::unique_ptr<Reflector> reflector;
  std::uint64_t echoes = 0, stamps = 0;
  std::map<std::uint16_t, std::uint64_t> syns;  // by destination port
  std::set<std::uint16_t> checksums, tcp_ports, udp_ports;
};

std::vector<AnchorSpec> of_all_kinds(Family family) {
  const IpAddress a = anchor(family);
  return {Anchor(a), Anchor(a, ProbeKind::tcp, kOpenPort), Anchor(a, ProbeKind::tcp, kClosedPort),
          Anchor(a, ProbeKind::stamp, kStampPort)};
}

}  // namespace

TEST_CASE(
    "probes of every kind are answered by exactly their gateway, and "
    "proved to leave by it",
    "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  Bench bench(lan);
  Peer a(lan.a, bench.io), b(lan.b, bench.io);
  const auto anchors = of_all_kinds(gw.family);
  bench.probe({lan.nexthop(1, gw.a), anchors}, {true, mac(lan.a, "eth0")});
  bench.probe({lan.nexthop(2, gw.b), anchors}, {true, mac(lan.b, "eth0")});
  const auto each = [&](auto fact) {
    for (const std::uint32_t id : {1U, 2U})
      for (const AnchorSpec& spec : anchors)
        if (!fact(id, bench.status(id, spec.anchor))) return false;
    return true;
  };
  REQUIRE(bench.wait_for(
      [&] { return each([](std::uint32_t, const ProbeStatus& s) { return s.received >= 40; }); }));
  for (const std::uint32_t id : {1U, 2U}) {
    Peer& peer = id == 1 ? a : b;
    for (const AnchorSpec& spec : anchors) {
      INFO("nexthop " << id << ", " << spec.anchor.text());
      REQUIRE(bench.wait_for([&] {
        peer.count();
        const auto s = bench.status(id, spec.anchor);
        return s.sent == s.received && s.proved == s.sent && peer.of(spec.anchor) == s.sent;
      }));
      const auto s = bench.status(id, spec.anchor);
      CHECK(s.lost == 0);
      CHECK(s.forged == 0);
      CHECK(s.unsent == 0);
      CHECK(s.state == ProbeState::probing);
      CHECK(s.kernel_stamped >= s.received - 5);  // the kernel begins to stamp a moment late
      CHECK(s.flows.size() == 4);
      CHECK(s.rtt);
      CHECK(s.rate > 40);
    }
  }
  CHECK(bench.count(1, Outcome::lost) + bench.count(2, Outcome::lost) == 0);
  CHECK(a.checksums.size() == 4);
  CHECK(a.tcp_ports.size() == 4);
  CHECK(a.udp_ports.size() == 4);
  CHECK(bench.prober->totals().unknown_replies == 0);
}

TEST_CASE("probes by TCP leave nothing behind at the peer", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  // The kernel's own RST would hide that ours is missing.
  lan.router.sh(
      "nft add table inet t; nft add chain inet t out '{ type filter "
      "hook output priority "
      "0; }'; nft add rule inet t out 'tcp flags & rst == rst meta "
      "mark 0 drop'");
  Bench bench(lan);
  Peer a(lan.a, bench.io);
  const Anchor open(anchor(gw.family), ProbeKind::tcp, kOpenPort);
  bench.probe({lan.nexthop(1, gw.a), {open}}, {true});
  REQUIRE(bench.wait_for([&] { return bench.status(1).received >= 100; }));
  CHECK(bench.status(1).lost == 0);
  bench.prober->remove_target(NexthopId{1});
  CHECK(bench.wait_for(
      [&] { return lan.a.output("ss -Htan | grep -v LISTEN | grep :443 || true").empty(); }));
  CHECK(accept(a.listener, nullptr, nullptr) < 0);
}

// The peer that got the SYN waits for the handshake's end, and would take no other SYN from there.
TEST_CASE("a SYN-ACK that gets lost is one loss, and no late reply", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  Peer a(lan.a, bench.io);
  const Anchor open(anchor(Family::v4), ProbeKind::tcp, kOpenPort);
  bench.probe({lan.nexthop(1, kV4.a), {open}}, {true});
  REQUIRE(bench.wait_for([&] { return bench.status(1).received >= 20; }));
  lan.router.sh(
      "nft add table inet t; nft add counter inet t dropped; nft add chain inet t c '{ type filter "
      "hook prerouting priority 0; }'; nft add rule inet t c 'tcp sport 443 tcp flags & (syn | "
      "ack) "
      "== (syn | ack) numgen inc mod 11 == 0 counter name dropped drop'");
  const auto dropped = [&] {
    return std::stoul(lan.router.output(
        "nft list counter inet t dropped | sed -n 's/.*packets \\([0-9]*\\).*/\\1/p'"));
  };
  REQUIRE(bench.wait_for([&] { return bench.status(1).sent >= 1000; }));
  const auto lost = bench.status(1).lost;
  const auto gone = dropped();
  CHECK(gone >= 40);
  CHECK(lost <= gone + gone / 10);
  CHECK(lost + 5 >= gone);
  CHECK(bench.status(1).late <= gone / 10);
}

TEST_CASE("an authenticated session is answered, and one of another key is forged",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  std::unique_ptr<Reflector> reflector;
  {
    const NetNamespace::Visit visit(lan.a);
    ReflectorOptions options;
    options.key = "one secret of thirty-two letters";
    auto opened = Reflector::open(bench.io, options);
    REQUIRE(opened.has_value());
    reflector = std::move(*opened);
  }
  AnchorSpec spec(Anchor(anchor(Family::v4), ProbeKind::stamp, kStampPort));
  spec.stamp_key = "one secret of thirty-two letters";
  bench.probe({lan.nexthop(1, kV4.a), {spec}}, {true});
  REQUIRE(bench.wait_for([&] { return bench.status(1).received >= 20; }));
  CHECK(bench.status(1).lost == 0);
  CHECK(bench.status(1).forged == 0);
  spec.stamp_key = "another secret, of other letters";
  bench.probe({lan.nexthop(1, kV4.a), {spec}}, {true});
  bench.samples.clear();
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::lost) >= 5; }));
  CHECK(bench.count(1, Outcome::reply) == 0);
}

TEST_CASE("loss by direction is told by a reflector that counts", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  Peer a(lan.a, bench.io);
  bench.probe({lan.nexthop(1, kV4.a), {Anchor(anchor(Family::v4), ProbeKind::stamp, kStampPort)}},
              {true});
  REQUIRE(bench.wait_for([&] { return bench.status(1).received >= 20; }));
  const auto drop = [&](const NetNamespace& where, const std::string& match) {
    where.sh(
        "nft add table inet t; nft add chain inet t c '{ type filter hook "
        "prerouting priority 0; }'; nft add rule inet t c '" +
        match + " numgen inc mod 3 == 0 drop'");
  };
  const auto lost = [&](const NetNamespace& where, std::uint64_t n) {
    REQUIRE(bench.wait_for([&] { return bench.status(1).lost >= n; }));
    where.sh("nft delete table inet t");
    const auto received = bench.status(1).received;
    REQUIRE(bench.wait_for([&] { return bench.status(1).received >= received + 20; }));
  };
  drop(lan.a, "udp dport 862");
  lost(lan.a, 10);
  REQUIRE(bench.status(1).directional);
  const auto there = *bench.status(1).directional;
  CHECK(there.forward == bench.status(1).lost);
  CHECK(there.backward == 0);
  drop(lan.router, "udp sport 862");
  lost(lan.router, bench.status(1).lost + 10);
  const auto back = *bench.status(1).directional;
  CHECK(back.forward == there.forward);
  CHECK(back.backward == bench.status(1).lost - there.forward);
}

TEST_CASE("requests by HTTP are in the totals of all probers", "[probes][netns][http]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  const Anchor web(anchor(Family::v4), ProbeKind::http, 80);
  bench.probe(Target{lan.nexthop(1, kV4.a), {anchor(Family::v4)}}, {true});
  const ProberTotals before = bench.prober->totals();
  CHECK(before.budget == fast().budget);
  bench.probe(Target{lan.nexthop(1, kV4.a), {anchor(Family::v4), web}}, {true});
  const ProberTotals after = bench.prober->totals();
  const double each = bench.status(1, web).rate;
  CHECK(each > 0);
  CHECK(after.rate == Approx(before.rate + each));
  CHECK(after.wanted_rate == Approx(before.wanted_rate + each));
  bench.prober->set_ready(NexthopId{1}, {});
  CHECK(bench.prober->totals().rate < after.rate);
}
