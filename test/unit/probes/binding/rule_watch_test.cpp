#include "probes/binding/rule_watch.hpp"

#include <net/if.h>

#include <algorithm>

#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

// As a network script does it; what belongs to the system is there again at the end.
const char* const kFlush =
    "ip rule flush; ip rule add lookup main pref 32766; ip rule add lookup default pref 32767; "
    "ip -6 rule flush; ip -6 rule add lookup main pref 32766\n";

// Without their rules, probes of both gateways leave by b.
void default_by_b(const Lan& lan) {
  lan.router.sh("ip route add default via 10.9.0.2; ip -6 route add default via fd09::2");
}

// Both gateways are probed, and none of the probes has seen a removal.
struct Probed : Bench {
  Probed(const Lan& lan, const Gateways& gw) : Bench(lan) {
    probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
    probe(lan.nexthop(2, gw.b), {anchor(gw.family)});
    REQUIRE(wait_for([&] { return both_answered(5); }));
    CHECK_FALSE(status(1).last_error);
  }
  bool both_answered(std::size_t times) const {
    return count(1, Outcome::reply) >= times && count(2, Outcome::reply) >= times;
  }
};

}  // namespace

TEST_CASE("rules that another program removes are put back and no probe strays",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  default_by_b(lan);
  Probed bench(lan, gw);
  const std::string before = ours(lan);
  const auto survives = [&](const std::string& removal) {
    lan.router.sh(removal);
    REQUIRE(ours(lan) != before);
    REQUIRE(bench.wait_for([&] { return ours(lan) == before; }));
    const auto some_more =
        std::max(bench.count(1, Outcome::reply), bench.count(2, Outcome::reply)) + 10;
    REQUIRE(bench.wait_for([&] { return bench.both_answered(some_more); }));
  };
  SECTION("all at once, again and again") {
    for (int i = 0; i < 5; i++) survives(kFlush);
  }
  SECTION("only the guard") {
    survives("ip rule del pref 5202 2>/dev/null || ip -6 rule del pref 5202");
  }
  SECTION("only those of the nexthops, with their routes") {
    survives(
        "for f in -4 -6; do for id in 1 2; do ip $f rule del pref 5200 fwmark 0x6877000$id "
        "2>/dev/null && "
        "ip $f route flush table $((0x68770000 + id)) || true; done; done");
  }
  SECTION("with so many others that the kernel drops the events") {
    survives(
        "rules=$(for pref in $(seq 6000 7999); do echo rule add pref $pref lookup main; done)\n"
        "echo \"$rules\" | ip -batch -; echo \"$rules\" | sed 's/add/del/' | ip -batch -\n" +
        std::string(kFlush));
  }
  for (const auto id : {1, 2}) {
    const auto why = bench.status(id).last_error;
    REQUIRE(why);
    CHECK(why->find("another program") != std::string::npos);
    CHECK(bench.count(id, Outcome::lost) == 0);
  }
  CHECK(bench.all_came_to(lan.a, gw.family, 1));
  CHECK(bench.all_came_to(lan.b, gw.family, 2));
}

TEST_CASE("a dead path is never praised while its rules are flushed under the probes",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  default_by_b(lan);
  Probed bench(lan, gw);
  const std::string before = ours(lan);
  lan.a.sh("ip addr del 203.0.113.1/32 dev lo; ip addr del 2001:db8::1/128 dev lo");
  lan.a.sh("ip route add blackhole 203.0.113.0/24; ip route add blackhole 2001:db8::/32");
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::lost) >= 5; }));
  bench.samples.clear();
  lan.router.sh("(for i in $(seq 30); do " + std::string(kFlush) +
                "sleep 0.05; done; ip link add done type veth peer name done-too) &");
  REQUIRE(bench.wait_for([&] { return if_nametoindex("done") != 0; }));
  REQUIRE(bench.wait_for([&] { return ours(lan) == before; }));
  REQUIRE(bench.wait_for(
      [&] { return bench.count(1, Outcome::lost) >= 10 && bench.count(2, Outcome::reply) >= 10; }));
  CHECK(bench.count(1, Outcome::reply) == 0);
  CHECK(bench.count(1, Outcome::late) == 0);
}

TEST_CASE("the prober's own removals alarm nobody", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Probed bench(lan, kV4);
  bench.prober->remove_target(NexthopId{2});
  bench.samples.clear();
  REQUIRE(bench.wait_for([&] { return bench.count(1, Outcome::reply) >= 10; }));
  CHECK_FALSE(bench.status(1).last_error);
  CHECK(bench.status(1).unsent == 0);
  CHECK(ours(lan).find("0x68770002") == std::string::npos);
}
