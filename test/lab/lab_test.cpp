// The lab itself: routing comes up, every upstream carries both families both ways, and what the
// lab can do to the network has its effect.
#include "test/lab/lab.hpp"

#include <cstdio>
#include <numeric>

#include "test/catch.hpp"
#include "test/lab/speaker.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {

constexpr Daemon kMixed[] = {Daemon::frr, Daemon::bird};

Topology mixed(std::size_t upstreams, Daemon router = Daemon::frr, Wan wan = Wan::separate) {
  Topology t{.upstreams = {}, .router = router, .wan = wan};
  for (std::size_t i = 0; i < upstreams; ++i)
    t.upstreams.push_back(
        {"isp-" + std::to_string(i), router == Daemon::none ? Daemon::none : kMixed[i % 2], {}});
  return t;
}

std::vector<std::size_t> first(std::size_t n) {
  std::vector<std::size_t> all(n);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<std::size_t> all_but(std::size_t i, std::size_t n) {
  auto others = first(n);
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
  return others;
}

Count carried(Lab& lab, std::size_t i, Direction direction, Service service) {
  const auto counters = lab.relay().counters(lab.core_link(i));
  const auto& way = direction == Direction::forward ? counters.forward : counters.backward;
  const auto found = way.by_service.find(service);
  return found == way.by_service.end() ? Count{} : found->second;
}

constexpr Service kEcho4{1, 0}, kEcho6{58, 0}, kIperf{6, 5201};

// Five echoes each from the router by every upstream's gateway: only that upstream's link carries
// them, forth and back.
void ping_by_each(Lab& lab) {
  const auto n = lab.topology().upstreams.size();
  for (const bool v4 : {true, false}) {
    const Service echo = v4 ? kEcho4 : kEcho6;
    const std::string host = v4 ? kAnchor4 : kAnchor6;
    for (std::size_t i = 0; i < n; ++i) {
      const auto gateway = lab.gateway(i, v4 ? Family::v4 : Family::v6).value().text();
      const auto route = "route replace " + host + " via " + gateway + " dev " + lab.wan_device(i);
      lab.router().ip(route).value();
      std::vector<Count> forward, backward;
      for (std::size_t j = 0; j < n; ++j) {
        forward.push_back(carried(lab, j, Direction::forward, echo));
        backward.push_back(carried(lab, j, Direction::backward, echo));
      }
      lab.client().run({"fping", "-q", "-c", "5", "-p", "10", "-t", "2000", host}).value();
      for (std::size_t j = 0; j < n; ++j) {
        const std::uint64_t expected = i == j ? 5 : 0;
        CHECK(carried(lab, j, Direction::forward, echo).packets - forward[j].packets == expected);
        CHECK(carried(lab, j, Direction::backward, echo).packets - backward[j].packets == expected);
      }
    }
    lab.router().ip("route del " + host).value();
  }
}

// Opens, and says how long it took.
std::unique_ptr<Lab> opened(const Topology& t, const char* what) {
  const auto start = std::chrono::steady_clock::now();
  auto lab = Lab::open(t).value();
  std::printf("%s: up in %.2f s\n", what, seconds(std::chrono::steady_clock::now() - start));
  return lab;
}

void withdraw_and_announce(Lab& lab, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    lab.withdraw(i).value();
    lab.wait_until_offered(all_but(i, n), 10s).value();
    lab.announce(i).value();
    lab.wait_until_offered(first(n), 10s).value();
  }
}

}  // namespace

TEST_CASE("an FRR router takes both families from an FRR and a BIRD upstream") {
  auto lab = opened(mixed(2), "2 upstreams, FRR router");
  CHECK(lab->wan_device(1) == "wan1");
  CHECK(lab->gateway(1, Family::v4).value().text() == "10.99.1.2");
  ping_by_each(*lab);
  lab->client().run({"fping", "-q", "-t", "2000", kService4}).value();
  lab->client().run({"fping", "-q", "-t", "2000", kService6}).value();
  withdraw_and_announce(*lab, 2);
}

TEST_CASE("a WAN link that goes down takes its routes along, and up brings them back") {
  const std::size_t n = GENERATE(2, 3);
  auto lab = Lab::open(mixed(n)).value();
  for (const std::size_t i : {0, 1}) {
    lab->set_wan_link(i, LinkState::down).value();
    lab->wait_until_offered(all_but(i, n), 5s).value();
    lab->set_wan_link(i, LinkState::up).value();
    lab->wait_until_offered(first(n), 30s).value();
  }
  ping_by_each(*lab);
}

TEST_CASE("a BIRD router does the same") {
  auto lab = opened(mixed(3, Daemon::bird), "3 upstreams, BIRD router");
  ping_by_each(*lab);
  withdraw_and_announce(*lab, 3);
}

TEST_CASE("an FRR router writes the kernel in each of its forms, with IPv6 gateways for IPv4") {
  const FrrForm form = GENERATE(FrrForm::groups, FrrForm::groups_only, FrrForm::flat);
  Topology topology = mixed(3);
  topology.upstreams[2].daemon = Daemon::gobgp;
  topology.frr_form = form;
  topology.ipv4_over = Ipv4Over::ipv6;
  auto lab = Lab::open(topology).value();
  const auto route =
      lab->router().run({"ip", "-j", "-4", "route", "show", "203.0.113.0/24"}).value();
  CHECK((route.find("\"nhid\"") != std::string::npos) == (form != FrrForm::flat));
  CHECK((route.find("\"nexthops\"") != std::string::npos) == (form != FrrForm::groups_only));
  CHECK((route.find("169.254.0.1") != std::string::npos) == (form == FrrForm::flat));
  withdraw_and_announce(*lab, 3);
  for (const char* host : {kService4, kService6})
    lab->client().run({"fping", "-q", "-c", "20", "-p", "10", "-t", "2000", host}).value();
}

TEST_CASE("routing daemons that are killed come back, zebra with bgpd") {
  Topology topology = mixed(3);
  topology.upstreams[2].daemon = Daemon::gobgp;
  auto lab = Lab::open(topology).value();
  for (const std::size_t i : {0, 1, 2}) {
    auto& speaker = lab->speaker(i);
    speaker.kill(speaker.bgp_program()).value();
    lab->wait_until_offered(all_but(i, 3), 20s).value();
    speaker.start_again(speaker.bgp_program()).value();
    lab->wait_until_offered(first(3), 30s).value();
  }
  auto& router = lab->router_speaker();
  router.kill("zebra").value();
  CHECK(lab->offered(Family::v4) == first(3));  // the routes stay
  router.start_again("zebra").value();
  router.kill("bgpd").value();
  router.start_again("bgpd").value();
  lab->wait_until_offered(first(3), 30s).value();
  CHECK_FALSE(router.kill("bird"));
}

TEST_CASE("without daemons the routes are fixed") {
  auto lab = opened(mixed(2, Daemon::none), "2 upstreams, fixed routes");
  ping_by_each(*lab);
  withdraw_and_announce(*lab, 2);
  lab->set_wan_link(0, LinkState::down).value();
  lab->wait_until_offered({1}, 5s).value();
  lab->set_wan_link(0, LinkState::up).value();
  lab->wait_until_offered({0, 1}, 5s).value();
  ping_by_each(*lab);
}

TEST_CASE("eight gateways stand on one interface") {
  auto lab = opened(mixed(8, Daemon::frr, Wan::shared), "8 upstreams on a shared LAN, FRR router");
  CHECK(lab->wan_device(7) == "wan0");
  CHECK(lab->gateway(7, Family::v4).value().text() == "10.99.0.9");
  ping_by_each(*lab);
}

TEST_CASE("a flow that moves is answered by the link on which it moved") {
  auto lab = Lab::open(mixed(2, Daemon::none)).value();
  for (const std::size_t i : {0, 1})
    lab->relay().set(lab->core_link(i), {.delay = 5ms, .rate_bit_s = 20'000'000});
  auto server = lab->start(lab->server(), {"iperf3", "-s"}, "iperf3-server").value();
  REQUIRE(eventually(5s, [&] {
    return !lab->server().run({"ss", "-Hltn", "sport = :5201"}).value().empty();
  }));
  auto client =
      lab->start(lab->client(), {"iperf3", "-c", kService4, "-P", "4", "-t", "60"}, "iperf3-client")
          .value();
  for (const std::size_t gone : {0, 1, 0}) {
    const std::size_t left = 1 - gone;
    lab->withdraw(gone).value();
    const auto back = carried(*lab, left, Direction::backward, kIperf).packets;
    REQUIRE(eventually(10s, [&] {
      return carried(*lab, left, Direction::backward, kIperf).packets > back + 500;
    }));
    const auto stale = carried(*lab, gone, Direction::backward, kIperf).packets;
    const auto fresh = carried(*lab, left, Direction::backward, kIperf).packets;
    REQUIRE(eventually(10s, [&] {
      return carried(*lab, left, Direction::backward, kIperf).packets > fresh + 500;
    }));
    CHECK(carried(*lab, gone, Direction::backward, kIperf).packets == stale);
    lab->announce(gone).value();
  }
}

TEST_CASE("a topology that cannot be is refused with the reason") {
  CHECK(Lab::open({}).error().message == "lab: 0 upstreams (1 to 8 are possible)");
  Topology odd = mixed(2);
  odd.upstreams[1].daemon = Daemon::none;
  CHECK(Lab::open(odd).error().message.find("isp-1") != std::string::npos);
  CHECK(Lab::open(mixed(2, Daemon::gobgp)).error().message.find("GoBGP") != std::string::npos);
}
