// Routing that is busy: thousands of prefixes that come and go, events that the kernel drops, eight
// upstreams whose set changes all the time, and FRR's group that has lost a member.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/routing_trial.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr int kMorePrefixes = 4000;

void ok(const Result<>& done) {
  INFO((done ? "" : done.error().message));
  REQUIRE(done.has_value());
}

std::size_t routes(const RoutingTrial& trial) {
  std::size_t lines = 0;
  for (const char* family : {"-4", "-6"}) {
    const auto text = trial.lab().router().run({"ip", family, "-o", "route"}).value();
    lines += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  return lines;
}

bool frr_offers(const RoutingTrial& trial, const char* command, std::size_t count) {
  const auto said = trial.lab().router_speaker().ask(command);
  if (!said) return false;
  std::size_t active = 0;
  const Json routes = Json::parse(*said);
  for (const auto& [prefix, entries] : routes.items())
    for (const Json& entry : entries)
      for (const Json& hop : entry["nexthops"]) active += hop.value("fib", false) ? 1 : 0;
  return active == count;
}

}  // namespace

TEST_CASE("FRR's word is three nexthops, the kernel's two: the kernel is followed", "[e2e]") {
  auto topology = three_upstreams();
  topology.frr_keeps_groups = 180s;  // FRR's default
  RoutingTrial trial("FRR, groups kept", topology);
  trial.step("link down and up, group stale", [&] {
    ok(trial.lab().set_wan_link(0, lab::LinkState::down));
    trial.offered({1, 2});
    trial.flows(1000);  // some two seconds: the length of the flap
    ok(trial.lab().restore_wan_link(0));
    REQUIRE(lab::eventually(30s, [&] {
      return frr_offers(trial, "show ip route 203.0.113.0/24 json", 3) &&
             frr_offers(trial, "show ipv6 route 2001:db8:113::/48 json", 3);
    }));
    trial.flows(500);
  });
  // Whether this FRR has the fault is FRR's own affair; what the kernel has is what counts.
  for (const Family family : {Family::v4, Family::v6})
    std::printf("FRR says three nexthops, the kernel has %zu\n", trial.kernel(family).size());
  CHECK(trial.difference().empty());
}

TEST_CASE("eight upstreams whose set changes under load", "[e2e]") {
  lab::Topology topology;
  topology.wan = lab::Wan::shared;
  for (int i = 0; i < 8; ++i)
    topology.upstreams.push_back(
        {"isp-" + std::to_string(i), i < 2 ? lab::Daemon::frr : lab::Daemon::bird, {.delay = 5ms}});
  RoutingTrial trial("FRR, 8 on a LAN", topology);
  for (const std::size_t odd : {0, 1})
    trial.step(odd == 1 ? "the odd go and come" : "the even go and come", [&, odd] {
      std::vector<std::size_t> left;
      for (std::size_t i = 0; i < 8; ++i) {
        if (i % 2 != odd)
          left.push_back(i);
        else
          ok(trial.lab().withdraw(i));
      }
      trial.offered(left);
      for (std::size_t i = odd; i < 8; i += 2) ok(trial.lab().announce(i));
      trial.all_offered();
    });
  trial.step("each goes as the one before comes", [&] {
    for (std::size_t i = 0; i < 8; ++i) {
      ok(trial.lab().withdraw(i));
      if (i > 0) ok(trial.lab().announce(i - 1));
    }
    ok(trial.lab().announce(7));
    trial.all_offered();
  });
}

TEST_CASE("thousands of prefixes flap, and events are lost: nothing is lost in the end", "[e2e]") {
  auto topology = three_upstreams();
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::bird;
  topology.more_prefixes = kMorePrefixes;
  RoutingTrial trial("FRR, 4000 prefixes", topology);
  auto& lab = trial.lab();
  const auto few = routes(trial);

  trial.step("flap, and a withdrawal amidst", [&] {
    for (const std::size_t i : {0, 1}) ok(lab.speaker(i).announce_more());
    REQUIRE(lab::eventually(20s, [&] { return routes(trial) >= few + kMorePrefixes; }));
    ok(lab.speaker(0).withdraw_more());  // to one leg: each route changes
    ok(lab.withdraw(2));
    trial.offered({0, 1});
    ok(lab.speaker(1).withdraw_more());
    REQUIRE(lab::eventually(20s, [&] { return routes(trial) == few; }));
    ok(lab.announce(2));
    trial.all_offered();
  });

  // A daemon that sleeps while more happens than its buffer holds: 32 MiB, of which the kernel
  // makes twice as many, are some 60,000 such messages.
  trial.observe("events lost, and a withdrawal", [&] {
    std::string add, remove;
    for (int i = 0; i < 60000; ++i) {
      const std::string route = "198.18." + std::to_string(i / 256) + "." + std::to_string(i % 256);
      add += "route add " + route +
             " nexthop via 10.99.0.2 nexthop via 10.99.1.2 nexthop via 10.99.2.2\n";
      remove += "route del " + route + "\n";
    }
    trial.router().daemon().kill(SIGSTOP);
    ok(lab.router().ip(add));
    ok(lab.router().ip(remove));
    ok(lab.withdraw(0));
    ok(lab.wait_until_offered({1, 2}, 20s));
    trial.router().daemon().kill(SIGCONT);
    CHECK(lab::eventually(20s, [&] {
      return trial.router().daemon().log().find("the kernel dropped events") != std::string::npos;
    }));
    CHECK(trial.agrees().empty());
    ok(lab.announce(0));
    trial.all_offered();
  });
  CHECK(trial.difference().empty());
}
