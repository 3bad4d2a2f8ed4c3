// Many nexthops: one rule, and the staging device that sends each probe on. What arrived where is
// read from the gateways' own counts.
#include <net/if.h>
#include <sys/wait.h>

#include <csignal>
#include <sstream>

#include "core/daemon/staging.hpp"
#include "core/dataplane/dataplane.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

Options from(std::uint32_t count) {
  Options options = fast();
  options.stage_from = count;
  return options;
}

Options slow(Options options) {
  options.interval = options.suspicious_interval = std::chrono::milliseconds(200);
  return options;
}

Staging device(const Lan& lan, std::vector<std::string>& troubles,
               dataplane::HookChoice hook = dataplane::HookChoice::automatic) {
  const NetNamespace::Visit visit(lan.router);
  return stage_probes({.mark_base = Options{}.mark_base, .hook = hook},
                      [&troubles](const Error& error) { troubles.push_back(error.message); });
}

std::string ether(const NetNamespace& where) {
  std::string mac = where.output("ip -o link show eth0 | sed 's/.*ether \\([^ ]*\\).*/\\1/'");
  mac.erase(mac.find_last_not_of(" \n") + 1);
  return mac;
}

void know(const Lan& lan, const std::string& gateway, const NetNamespace& whose,
          const std::string& interface = "wan") {
  lan.router.sh("ip neigh replace " + gateway + " lladdr " + ether(whose) + " dev " + interface +
                " nud permanent");
}

// No probe is lost for want of a neighbour's address, and the main table's default leads nowhere.
void know_all(const Lan& lan) {
  for (const Gateways& gw : {kV4, kV6}) {
    know(lan, gw.a, lan.a);
    know(lan, gw.b, lan.b);
    know(lan, gw.c, lan.c, "side");
  }
}

void default_is_dead(const Lan& lan) {
  lan.router.sh("ip route replace default via 10.9.0.99; ip -6 route replace default via fd09::99");
}

void default_by_b(const Lan& lan) {
  lan.router.sh("ip route replace default via 10.9.0.2; ip -6 route replace default via fd09::2");
}

struct StagedBench : Bench {
  StagedBench(const Lan& lan, const Options& options,
              dataplane::HookChoice hook = dataplane::HookChoice::automatic)
      : Bench(lan, options, device(lan, troubles(), hook)) {}

  [[nodiscard]] bool staged() const { return prober->totals().staged; }
  bool answered(std::uint32_t id, std::size_t times) {
    const std::size_t goal = count(id, Outcome::reply) + times;
    return wait_for([&] { return count(id, Outcome::reply) >= goal; });
  }
  static std::vector<std::string>& troubles() {
    thread_local std::vector<std::string> told;
    return told;
  }
};

std::size_t lines(const Lan& lan, const std::string& command) {
  const std::string text = lan.router.output(command);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

bool has_device(const Lan& lan) {
  return lines(lan, "ip -o link show hwprobe0 2>/dev/null") == 1;
}

std::string link_local(const NetNamespace& gateway) {
  std::string text =
      gateway.output("ip -o -6 addr show dev eth0 scope link | sed 's/.*inet6 \\([^/]*\\).*/\\1/'");
  text.erase(text.find_last_not_of(" \n") + 1);
  return text;
}

}  // namespace

TEST_CASE("staged probes leave by exactly their gateways, with the default gateway dead",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const auto hook = GENERATE(dataplane::HookChoice::automatic, dataplane::HookChoice::clsact);
  const Lan lan;
  default_is_dead(lan);
  know_all(lan);
  StagedBench bench(lan, from(2), hook);
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  CHECK_FALSE(bench.staged());
  bench.probe(lan.nexthop(2, gw.b), {anchor(gw.family)});
  bench.probe(lan.nexthop(3, gw.c, "side"), {anchor(gw.family)});
  REQUIRE(bench.staged());
  CHECK(lines(lan, "(ip rule; ip -6 rule) | grep 'proto 104'") == 2);
  for (const auto id : {1, 2, 3}) {
    REQUIRE(bench.answered(id, 20));
    CHECK(bench.count(id, Outcome::lost) == 0);
    CHECK_FALSE(bench.status(id).last_error);
  }
  CHECK(bench.prober->totals().staged_packets.at("sent") >= 60);  // counted by the device
  CHECK(bench.all_came_to(lan.c, gw.family, 3));
  CHECK(bench.all_came_to(lan.b, gw.family, 2));
  CHECK_FALSE(bench.staged());
  CHECK_FALSE(has_device(lan));
  CHECK(bench.answered(1, 5));
  CHECK(bench.all_came_to(lan.a, gw.family, 1));
  bench.prober.reset();
  CHECK(ours(lan).empty());
}

TEST_CASE("staged probes of both families by IPv6 gateways, link-local ones too",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Lan lan;
  default_is_dead(lan);
  lan.router.sh("ip addr add 192.0.2.7/32 dev lo");
  const std::string a = link_local(lan.a);
  know(lan, a, lan.a);
  know_all(lan);
  StagedBench bench(lan, slow(from(2)));
  bench.probe(lan.nexthop(1, a.c_str()), {anchor(Family::v4), anchor(Family::v6)});
  bench.probe(lan.nexthop(2, kV6.b), {anchor(Family::v4), anchor(Family::v6)});
  REQUIRE(bench.staged());
  for (const auto id : {1, 2}) {
    REQUIRE(bench.answered(id, 20));
    CHECK(bench.count(id, Outcome::lost) == 0);
  }
  std::array<std::uint64_t, 3> sent4{}, sent6{};
  for (const ProbeStatus& status : bench.prober->status())
    (status.anchor.address.is_v4() ? sent4 : sent6).at(raw(status.nexthop)) = status.sent;
  bench.prober.reset();
  CHECK(lan.a.echo_requests(Family::v4) == sent4[1]);
  CHECK(lan.a.echo_requests(Family::v6) == sent6[1]);
  CHECK(lan.b.echo_requests(Family::v4) == sent4[2]);
  CHECK(lan.b.echo_requests(Family::v6) == sent6[2]);
}

TEST_CASE("a link-local anchor is probed by its interface, also while others are staged",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Lan lan;
  default_is_dead(lan);
  know_all(lan);
  const std::string a = link_local(lan.a), b = link_local(lan.b);
  know(lan, a, lan.a);
  know(lan, b, lan.b);
  StagedBench bench(lan, from(2));
  bench.probe(lan.nexthop(1, a.c_str()), {address(a.c_str())});
  bench.probe(lan.nexthop(2, b.c_str()), {address(b.c_str())});
  REQUIRE(bench.staged());
  for (const auto id : {1, 2}) {
    REQUIRE(bench.answered(id, 10));
    CHECK(bench.count(id, Outcome::lost) == 0);
    CHECK(bench.status(id).unsent == 0);
  }
  CHECK(bench.all_came_to(lan.b, Family::v6, 2));
  CHECK(bench.answered(1, 5));
  CHECK(bench.all_came_to(lan.a, Family::v6, 1));
}

TEST_CASE("a staged probe whose neighbour is cold is lost at worst, and never takes another way",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  default_by_b(lan);
  know(lan, gw.b, lan.b);
  StagedBench bench(lan, from(1));
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  REQUIRE(bench.staged());
  for (int i = 0; i < 10; i++) {
    lan.router.sh(std::string("ip neigh del ") + gw.a + " dev wan 2>/dev/null || true");
    REQUIRE(bench.answered(1, 5));
  }
  CHECK(lan.b.echo_requests(gw.family) == 0);
  const auto sent = bench.status(1).sent, arrived = lan.a.echo_requests(gw.family);
  CHECK(arrived + 20 >= sent);
}

TEST_CASE("switching to the staging device and back loses and misleads no probe",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  default_is_dead(lan);
  know_all(lan);
  StagedBench bench(lan, from(3));
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  bench.probe(lan.nexthop(2, gw.b), {anchor(gw.family)});
  for (int i = 0; i < 15; i++) {
    bench.probe(lan.nexthop(3, gw.c, "side"), {anchor(gw.family)});
    REQUIRE(bench.staged());
    REQUIRE(bench.answered(1, 3));
    bench.prober->remove_target(NexthopId{3});
    REQUIRE_FALSE(bench.staged());
    REQUIRE(bench.answered(2, 3));
  }
  for (const auto id : {1, 2}) {
    CHECK(bench.count(id, Outcome::lost) == 0);
    CHECK(bench.status(id).unsent == 0);
  }
  CHECK(bench.all_came_to(lan.a, gw.family, 1));
  CHECK(bench.all_came_to(lan.b, gw.family, 2));
}

TEST_CASE("the staging device and its rule are put back when somebody removes them",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const Lan lan;
  default_by_b(lan);
  know_all(lan);
  StagedBench bench(lan, from(2));
  bench.probe(lan.nexthop(1, gw.a), {anchor(gw.family)});
  bench.probe(lan.nexthop(2, gw.b), {anchor(gw.family)});
  REQUIRE(bench.staged());
  const auto survives = [&](const std::string& removal) {
    lan.router.sh(removal);
    REQUIRE(bench.answered(1, 5));
    REQUIRE(bench.answered(2, 5));
    CHECK(bench.staged());
    CHECK(has_device(lan));
  };
  SECTION("the device") {
    for (int i = 0; i < 5; i++) survives("ip link del hwprobe0");
  }
  SECTION("the device is down") {
    survives("ip link set hwprobe0 down");
  }
  SECTION("its table") {
    survives(
        "ip route flush table $((0x68770000)) 2>/dev/null || "
        "ip -6 route flush table $((0x68770000))");
  }
  SECTION("all rules") {
    for (int i = 0; i < 5; i++)
      survives(
          "ip rule flush; ip rule add lookup main pref 32766; ip rule add lookup default pref "
          "32767; ip -6 rule flush; ip -6 rule add lookup main pref 32766");
  }
  SECTION("the guard") {
    survives("ip rule del pref 5202 2>/dev/null || ip -6 rule del pref 5202");
  }
  for (const auto id : {1, 2}) CHECK(bench.count(id, Outcome::lost) == 0);
  CHECK(bench.all_came_to(lan.a, gw.family, 1));
  CHECK(bench.all_came_to(lan.b, gw.family, 2));
}

TEST_CASE("without a device every nexthop keeps its rule, and it is said once",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Lan lan;
  default_is_dead(lan);
  know_all(lan);
  lan.router.sh("ip link add hwprobe0 type bridge");  // somebody else's
  StagedBench::troubles().clear();
  StagedBench bench(lan, from(2));
  bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
  bench.probe(lan.nexthop(2, kV4.b), {anchor(Family::v4)});
  bench.probe(lan.nexthop(3, kV4.c, "side"), {anchor(Family::v4)});
  CHECK_FALSE(bench.staged());
  REQUIRE(StagedBench::troubles().size() == 1);
  CHECK_THAT(StagedBench::troubles()[0], Catch::Contains("not ours"));
  for (const auto id : {1, 2, 3}) REQUIRE(bench.answered(id, 5));
  CHECK(lines(lan, "ip rule | grep 'proto 104'") == 4);
  CHECK(bench.all_came_to(lan.a, Family::v4, 1));
  CHECK(has_device(lan));
}

TEST_CASE("a program for local traffic leaves staged probes alone", "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Lan lan;
  know_all(lan);
  StagedBench bench(lan, from(1));
  dataplane::Options options;
  options.pin_root = "";
  auto opened = dataplane::Dataplane::open(options);
  REQUIRE(opened.has_value());
  dataplane::Dataplane& dataplane = **opened;
  const Nexthop b = lan.nexthop(2, kV4.b);
  REQUIRE(dataplane.set_nexthop(b).has_value());
  dataplane.set_nexthop_usable(b.id, true);
  REQUIRE(dataplane.set_group({GroupId{1}, {{PathId{1}, b.id, 1}}}).has_value());
  REQUIRE(dataplane.set_route(*Prefix::parse("203.0.113.0/24"), GroupId{1}).has_value());
  Decision decision;
  decision.group = GroupId{1};
  PathShare share;
  share.path = PathId{1};
  share.nexthop = b.id;
  share.after = 1;
  share.usable = true;
  decision.paths.push_back(share);
  dataplane.publish(decision, std::chrono::steady_clock::now());
  dataplane.renew_lease(std::chrono::steady_clock::now() + std::chrono::minutes(5));
  REQUIRE(dataplane.attach({{b.key.ifindex, "wan", dataplane::Role::local}}).empty());
  // What is not ours it does steer to b, or this test shows nothing.
  lan.router.sh("ip route add 203.0.113.1 via 10.9.0.1; ping -c1 -W5 -q 203.0.113.1 >/dev/null");
  REQUIRE(lan.b.echo_requests(Family::v4) == 1);
  bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
  REQUIRE(bench.staged());
  REQUIRE(bench.answered(1, 10));
  CHECK(bench.all_came_to(lan.a, Family::v4, 1));
  CHECK(lan.b.echo_requests(Family::v4) == 1);
}

TEST_CASE("probes whose source address went are unsent until there is one again",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const std::uint32_t stage_from = GENERATE(1, 33);
  const Lan lan;
  know_all(lan);
  StagedBench bench(lan, from(stage_from));
  bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
  bench.probe(lan.nexthop(2, kV6.a), {anchor(Family::v6)});
  REQUIRE(bench.staged() == (stage_from == 1));
  lan.router.sh("ip addr flush dev side");
  for (int i = 0; i < 3; i++) {
    REQUIRE(bench.answered(1, 5));
    REQUIRE(bench.answered(2, 5));
    const auto before4 = bench.status(1).unsent, before6 = bench.status(2).unsent;
    lan.router.sh("ip addr del 10.9.0.254/24 dev wan; ip -6 addr flush dev wan");
    REQUIRE(bench.wait_for([&] {
      return bench.status(1).unsent >= before4 + 5 && bench.status(2).unsent >= before6 + 5;
    }));
    CHECK_THAT(bench.status(1).last_error.value_or(""), Catch::Contains("address"));
    lan.router.sh("ip addr add 10.9.0.254/24 dev wan; ip addr add fd09::fe/64 dev wan nodad");
    know_all(lan);
  }
  REQUIRE(bench.answered(1, 5));
  REQUIRE(bench.answered(2, 5));
}

TEST_CASE("what a killed daemon left of the staging goes at the next start, or by detach",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const bool by_start = GENERATE(true, false);
  const Lan lan;
  know_all(lan);
  const pid_t child = fork();
  if (child == 0) {
    StagedBench bench(lan, from(2));
    bench.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
    bench.probe(lan.nexthop(2, kV4.b), {anchor(Family::v4)});
    if (!bench.staged() || !bench.answered(1, 3)) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(has_device(lan));
  REQUIRE_FALSE(ours(lan).empty());
  if (by_start) {
    StagedBench next(lan, from(33));
    CHECK_FALSE(has_device(lan));
    CHECK(ours(lan).empty());
    next.probe(lan.nexthop(1, kV4.a), {anchor(Family::v4)});
    CHECK(next.answered(1, 5));
  } else {
    const NetNamespace::Visit visit(lan.router);
    const auto removed = dataplane::detach_all("");
    REQUIRE(removed.has_value());
    CHECK(std::count(removed->begin(), removed->end(), "removed the staging device hwprobe0") == 1);
    CHECK_FALSE(remove_leftovers({})->empty());
  }
  CHECK_FALSE(has_device(lan));
  CHECK(ours(lan).empty());
}

TEST_CASE("two hundred nexthops on one interface, each by its own gateway",
          "[probes][netns][staging]") {
  NEEDS_ROOT();
  const Lan lan;
  default_is_dead(lan);
  for (const auto* end : {"a", "b"}) {
    const NetNamespace& gateway = *end == 'a' ? lan.a : lan.b;
    const std::string first = *end == 'a' ? "11" : "111", last = *end == 'a' ? "110" : "210";
    gateway.sh("for i in $(seq " + first + " " + last +
               "); do echo addr add 10.9.0.$i/24 dev eth0; done | ip -batch -");
    lan.router.sh("for i in $(seq " + first + " " + last + "); do echo neigh replace 10.9.0.$i " +
                  "lladdr " + ether(gateway) + " dev wan nud permanent; done | ip -batch -");
  }
  StagedBench bench(lan, slow({}));
  for (std::uint32_t id = 1; id <= 200; ++id) {
    const std::string gateway = "10.9.0." + std::to_string(10 + id);
    bench.probe(lan.nexthop(id, gateway.c_str()), {anchor(Family::v4)});
  }
  REQUIRE(bench.staged());
  CHECK(lines(lan, "ip rule | grep 'proto 104'") == 2);
  REQUIRE(bench.wait_for([&] {
    const auto all = bench.prober->status();
    return std::all_of(all.begin(), all.end(), [](const auto& s) { return s.received >= 3; });
  }));
  std::uint64_t by_a = 0, by_b = 0, lost = 0;
  for (const ProbeStatus& status : bench.prober->status()) {
    (raw(status.nexthop) <= 100 ? by_a : by_b) += status.sent;
    lost += status.lost;
  }
  bench.prober.reset();
  CHECK(lost == 0);
  CHECK(lan.a.echo_requests(Family::v4) == by_a);
  CHECK(lan.b.echo_requests(Family::v4) == by_b);
}
