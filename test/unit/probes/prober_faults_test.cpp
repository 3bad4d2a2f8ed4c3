// What happens to this host, not to the path: it is told, and is no loss.
#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"
#include "test/unit/probes/socket/talk.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

std::string text_of(const EthernetAddress& mac) {
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                mac[3], mac[4], mac[5]);
  return text.data();
}

}  // namespace

TEST_CASE("probes that this host drops at its interface are void, not lost", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  Bench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 10; }));
  lan.router.sh("ip neigh replace " + std::string(gw.a) + " lladdr " + text_of(mac(lan.a, "eth0")) +
                " dev wan nud permanent");
  lan.router.sh("tc qdisc add dev wan root blackhole");
  REQUIRE(bench.wait_for([&] { return bench.voids(1, Void::not_left) >= 20; }));
  lan.router.sh("tc qdisc del dev wan root");
  const auto received = bench.status(1).received;
  REQUIRE(bench.wait_for([&] { return bench.status(1).received >= received + 10; }));
  CHECK(bench.count(1, Outcome::lost) == 0);
  CHECK(bench.status(1).state == ProbeState::probing);
}

TEST_CASE("an interface from which nothing leaves for seconds has lost its path",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 10; }));
  lan.router.sh("ip neigh replace 10.9.0.1 lladdr " + text_of(mac(lan.a, "eth0")) +
                " dev wan nud permanent; tc qdisc add dev wan root blackhole");
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::lost) >= 10; }));
  CHECK(bench.voids(1, Void::not_left) >= 20);
}

TEST_CASE("probes that leave for another gateway's address are void", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  Bench bench(lan);
  const EthernetAddress a = mac(lan.a, "eth0"), b = mac(lan.b, "eth0");
  bench.probe({lan.nexthop(1, gw.a), {anchor(gw.family)}}, {true, a});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 10; }));
  lan.router.sh("ip neigh replace " + std::string(gw.a) + " lladdr " + text_of(b) +
                " dev wan nud permanent");
  REQUIRE(bench.wait_for([&] { return bench.voids(1, Void::strayed) >= 1; }));
  const auto answered = bench.status(1).received;
  REQUIRE(bench.wait_for([&] { return bench.voids(1, Void::strayed) >= 20; }));
  CHECK(bench.status(1).received == answered);  // though b answers
  CHECK(bench.count(1, Outcome::lost) == 0);
  // The gateway has that address now: told, it is right.
  bench.prober->set_ready(NexthopId{1}, {true, b});
  REQUIRE(bench.wait_for([&] { return bench.status(1).received >= answered + 10; }));
}

TEST_CASE("probes that are out when the gateway's address changes are void", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  lan.a.sh("sysctl -qw net.ipv4.icmp_echo_ignore_all=1");
  Bench bench(lan);
  const EthernetAddress a = mac(lan.a, "eth0"), b = mac(lan.b, "eth0");
  bench.probe({lan.nexthop(1, kV4.a), {anchor(Family::v4)}}, {true, a});
  const auto out = [&] {
    const ProbeStatus s = bench.status(1);
    return s.sent - s.received - s.lost - bench.voids(1, Void::neighbour);
  };
  REQUIRE(bench.wait_for([&] { return out() >= 3; }));
  const auto were_out = out();
  bench.prober->set_ready(NexthopId{1}, {true, b});
  CHECK(bench.voids(1, Void::neighbour) == were_out);
}

TEST_CASE("an interface that vanishes takes no probe elsewhere, and is probed when it is back",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  lan.router.sh("ip route add default via 10.9.0.2; ip -6 route add default via fd09::2");
  Bench bench(lan);
  bench.probe(lan.nexthop(3, gw.c, "side"), {anchor(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(3, Outcome::reply) >= 5; }));
  lan.router.sh("ip link del side");
  REQUIRE(bench.wait_for([&] { return bench.status(3).unsent >= 10; }));
  CHECK(bench.status(3).state == ProbeState::unbound);
  CHECK(bench.status(3).last_error);
  lan.c.sh("ip link add eth0 type veth peer name side netns " + lan.router.path() +
           "; ip addr add 10.8.0.3/24 dev eth0; ip addr add fd08::3/64 dev eth0 nodad; ip link set "
           "eth0 up");
  lan.router.sh(
      "ip addr add 10.8.0.254/24 dev side; ip addr add fd08::fe/64 dev side nodad; ip "
      "link set side up");
  bench.probe(lan.nexthop(3, gw.c, "side"), {anchor(gw.family)});
  CHECK(bench.wait_for([&] { return bench.status(3).received >= 5; }));
  CHECK(lan.b.echo_requests(gw.family) == 0);
}

TEST_CASE("a source address that is taken away loses no probe, and another is used",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  const Anchor tcp(anchor(Family::v4), ProbeKind::tcp, 444);
  bench.probe({lan.nexthop(1, kV4.a), {Anchor(anchor(Family::v4)), tcp}}, {true});
  const auto both = [&](std::uint64_t n) {
    return bench.status(1, anchor(Family::v4)).received >= n && bench.status(1, tcp).received >= n;
  };
  REQUIRE(bench.wait_for([&] { return both(10); }));
  lan.router.sh("sysctl -qw net.ipv4.conf.wan.promote_secondaries=1");
  for (const auto* change :
       {"ip addr add 10.9.0.253/24 dev wan; ip addr del 10.9.0.254/24 dev wan",
        "ip addr add 10.9.0.254/24 dev wan; ip addr del 10.9.0.253/24 dev wan"}) {
    const auto before =
        std::max(bench.status(1, anchor(Family::v4)).received, bench.status(1, tcp).received);
    lan.router.sh(change);
    REQUIRE(bench.wait_for([&] { return both(before + 20); }));
  }
  CHECK(bench.count(1, Outcome::lost) == 0);
}

TEST_CASE("the budget holds and status tells what it left", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Options options = fast();
  options.budget = 20;
  Bench bench(lan, options);
  bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4), address("10.9.0.1")});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 5; }));
  const auto totals = bench.prober->totals();
  CHECK(totals.wanted_rate > 100);
  CHECK(totals.rate == Approx(20));
  CHECK(bench.status(1).rate == Approx(10));
}
