#include "probes/prober.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

TEST_CASE("every probe leaves through exactly its gateway, of two on one interface",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  Bench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  bench.probe(lan.nexthop(2, gw.b), {anchor(gw.family)});
  REQUIRE(bench.wait_for([&] {
    return bench.count(1, Outcome::reply) >= 30 && bench.count(2, Outcome::reply) >= 30;
  }));
  CHECK(bench.count(1, Outcome::lost) == 0);
  CHECK(bench.count(2, Outcome::lost) == 0);
  CHECK(bench.all_came_to(lan.a, gw.family, 1));
  CHECK(bench.all_came_to(lan.b, gw.family, 2));
}

TEST_CASE("round trips are measured by the kernel's stamps", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  Bench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  // The kernel begins to stamp a moment after the first socket of a machine asks for it.
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 20; }));
  CHECK(bench.samples.back().source == TimestampSource::kernel);
  for (const Sample& s : bench.samples) {
    CHECK(s.rtt > 0ns);
    CHECK(s.known >= s.sent + s.rtt);
    CHECK(s.anchor == anchor(gw.family));
  }
}

TEST_CASE("of two gateways on one interface only the dead one loses", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  Bench bench(lan);
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  bench.probe(lan.nexthop(2, gw.b), {anchor(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 20; }));
  lan.a.sh("ip addr del 203.0.113.1/32 dev lo; ip addr del 2001:db8::1/128 dev lo");
  lan.a.sh("ip route add blackhole 203.0.113.0/24; ip route add blackhole 2001:db8::/32");
  bench.samples.clear();
  REQUIRE(bench.wait_for(
      [&] { return bench.count(1, Outcome::lost) >= 20 && bench.count(2, Outcome::reply) >= 20; }));
  CHECK(bench.status(1).state == ProbeState::suspicious);
  CHECK(bench.count(1, Outcome::reply) <= 2);  // what was on its way
  CHECK(bench.count(2, Outcome::lost) == 0);

  lan.a.sh("ip route del blackhole 203.0.113.0/24; ip route del blackhole 2001:db8::/32");
  lan.a.sh("ip addr add 203.0.113.1/32 dev lo; ip addr add 2001:db8::1/128 dev lo nodad");
  bench.samples.clear();
  CHECK(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 20; }));
}

TEST_CASE("an IPv4 anchor is probed through an IPv6 gateway", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  bench.probe(lan.nexthop(1, kV6.b), {anchor(Family::v4)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 5; }));
  CHECK(bench.all_came_to(lan.b, Family::v4, 1));
}

TEST_CASE("a link-local gateway is its own anchor", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  lan.a.sh("ip addr add fe80::a/64 dev eth0 nodad");
  lan.c.sh("ip addr add fe80::a/64 dev eth0 nodad");  // the same address on another interface
  Bench bench(lan);
  bench.probe(lan.nexthop(1, "fe80::a"), {address("fe80::a")});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 5; }));
  CHECK(bench.all_came_to(lan.a, Family::v6, 1));
  CHECK(lan.c.echo_requests(Family::v6) == 0);
}

TEST_CASE("an IPv6 anchor behind an IPv4 gateway is refused and nothing leaves",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  lan.router.sh("ip -6 route add default via fd09::2");
  Bench bench(lan);
  const auto done = bench.prober->set_target({lan.nexthop(1, kV4.a), {anchor(Family::v6)}});
  REQUIRE(done.has_error());
  CHECK(done.error().message.find("10.9.0.1") != std::string::npos);
  bench.prober->set_ready(NexthopId{1}, {true});
  REQUIRE(bench.wait_for([&] { return bench.status(1).unsent >= 5; }));
  CHECK(bench.status(1).last_error == done.error().message);
  CHECK(lan.b.echo_requests(Family::v6) == 0);
  CHECK(bench.samples.empty());
}

TEST_CASE("a probe whose interface is down never takes the default route", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  lan.router.sh("ip route add default via 10.9.0.2; ip -6 route add default via fd09::2");
  Bench bench(lan);
  bench.probe(lan.nexthop(3, gw.c, "side"), {anchor(gw.family)});
  REQUIRE(bench.wait_for([&] { return bench.count(3, Outcome::reply) >= 5; }));
  lan.router.sh("ip link set side down");
  REQUIRE(bench.wait_for([&] { return bench.status(3).unsent >= 10; }));
  CHECK(bench.status(3).last_error);
  CHECK(lan.b.echo_requests(gw.family) == 0);

  // Up again, probes find their gateway without being told.
  lan.router.sh("ip link set side up; ip addr replace fd08::fe/64 dev side nodad");
  bench.samples.clear();
  CHECK(bench.wait_for([&] { return bench.count(3, Outcome::reply) >= 5; }));
  CHECK(lan.b.echo_requests(gw.family) == 0);
}

TEST_CASE("while not ready, probes resolve the neighbour and yield no samples", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  REQUIRE(bench.prober->set_target({lan.nexthop(1, kV4.a), {anchor(Family::v4)}}).has_value());
  REQUIRE(bench.wait_for([&] { return lan.a.echo_requests(Family::v4) >= 5; }));
  CHECK(lan.router.output("ip neigh show 10.9.0.1").find("lladdr") != std::string::npos);
  CHECK(bench.samples.empty());
  bench.prober->set_ready(NexthopId{1}, {true});
  REQUIRE(bench.wait_for([&] { return !bench.samples.empty(); }));
  bench.prober->set_ready(NexthopId{1}, {false});
  bench.samples.clear();
  const auto before = lan.a.echo_requests(Family::v4);
  REQUIRE(bench.wait_for([&] { return lan.a.echo_requests(Family::v4) >= before + 5; }));
  CHECK(bench.samples.empty());
}

TEST_CASE("replies that waited while this host slept are no losses", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Options options = fast();
  options.min_timeout = options.max_timeout = 100ms;
  Bench bench(lan, options);
  bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 10; }));
  for (int stall = 0; stall < 5; stall++) {
    const auto sent = bench.status(1).sent;
    REQUIRE(bench.wait_for([&] { return bench.status(1).sent > sent; }));
    usleep(250000);  // the stall itself, not a wait: well beyond the deadline
  }
  const auto replies = bench.count(1, Outcome::reply);
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) > replies + 5; }));
  CHECK(bench.count(1, Outcome::lost) == 0);
}

TEST_CASE("an ICMP error is told, and is no outcome", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  lan.a.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  lan.a.sh("ip route add unreachable 198.51.100.0/24; ip route add unreachable 2001:db8:1::/48");
  Bench bench(lan);
  bench.probe(lan.nexthop(1, gw.a),
              {address(gw.family == Family::v4 ? "198.51.100.1" : "2001:db8:1::1")});
  REQUIRE(bench.wait_for([&] { return bench.status(1).last_error && !bench.samples.empty(); }));
  CHECK(bench.status(1).last_error->find(gw.a) != std::string::npos);
  CHECK(bench.count(1, Outcome::lost) == bench.samples.size());
}

TEST_CASE("marks or a priority that the guard cannot cover are refused", "[probes]") {
  boost::asio::io_context io;
  Options marks, priority;
  marks.mark_base = 0x68770001;
  priority.rule_priority = 32764;
  for (const Options& options : {marks, priority}) {
    const auto opened = Prober::open(io, options, {.samples = [](auto) {}});
    REQUIRE(opened.has_error());
    CHECK(opened.error().message.find("usual") != std::string::npos);
  }
}

TEST_CASE("a target's anchors are replaced, and those that stay go on", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Bench bench(lan);
  const Nexthop nexthop = lan.nexthop(1, kV4.a);
  bench.probe(nexthop, {anchor(Family::v4), address("10.9.0.1")});
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 10; }));
  const auto before = bench.status(1).received;
  REQUIRE(bench.prober->set_target({nexthop, {anchor(Family::v4)}}).has_value());
  REQUIRE(bench.prober->status().size() == 1);
  CHECK(bench.status(1).received >= before);
  bench.prober->remove_target(nexthop.id);
  CHECK(bench.prober->status().empty());
  CHECK(ours(lan).find("0x68770001") == std::string::npos);
}

TEST_CASE("nothing stays in the kernel when the prober ends", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  {
    Bench bench(lan);
    bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
    bench.probe(lan.nexthop(2, kV6.b), {anchor(Family::v4), anchor(Family::v6)});
    CHECK_FALSE(ours(lan).empty());
  }
  CHECK(ours(lan).empty());
}

TEST_CASE("what a killed daemon left is cleared by the next, and only that", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  lan.router.sh("ip rule add fwmark 0x68770009 lookup 4242 priority 5200");
  lan.router.sh("ip route add default via 10.9.0.2 table 4242 proto static");
  lan.router.sh("ip -6 route add default via fd09::2 table 1752629257 proto static");
  const auto everything = [&] {
    return lan.router.output(
        "ip rule; ip -6 rule; (ip route show table all; ip -6 route show table all) | grep "
        "^default");
  };
  const std::string before = everything();
  const Target target{lan.nexthop(2, kV6.b), {anchor(Family::v4), anchor(Family::v6)}};
  const auto die_probing = [&] {
    const pid_t child = fork();
    if (child == 0) {
      const NetNamespace::Visit visit(lan.router);
      boost::asio::io_context io;
      auto prober = Prober::open(io, fast(), {.samples = [](auto) {}});
      if (!prober || !(*prober)->set_target(target)) _exit(1);
      raise(SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE(everything() != before);
  };
  SECTION("by opening a prober") {
    die_probing();
    const Bench bench(lan);
    CHECK(everything() == before);
  }
  SECTION("by asking for it") {
    die_probing();
    const NetNamespace::Visit visit(lan.router);
    const auto removed = remove_leftovers(fast());
    REQUIRE(removed.has_value());
    CHECK(removed->size() == 6);  // a family: the rule, the guard and the route
    CHECK(everything() == before);
    CHECK(remove_leftovers(fast())->empty());
  }
}
