// Beside a routing daemon that dies, restarts, flaps and changes its mind: each form in which
// routes come into the kernel, one failure after another, under traffic of both families.
#include <csignal>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/routing_trial.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

void ok(const Result<>& done) {
  INFO((done ? "" : done.error().message));
  REQUIRE(done.has_value());
}

std::vector<std::size_t> others(std::size_t i, std::size_t count) {
  std::vector<std::size_t> left;
  for (std::size_t j = 0; j < count; ++j)
    if (j != i) left.push_back(j);
  return left;
}

void withdraw_and_announce(RoutingTrial& trial) {
  const auto count = trial.lab().topology().upstreams.size();
  for (std::size_t i = 0; i < count; ++i)
    trial.step("withdraw, announce " + trial.lab().topology().upstreams[i].name, [&, i] {
      ok(trial.lab().withdraw(i));
      trial.offered(others(i, count));
      trial.flows();
      ok(trial.lab().announce(i));
      trial.all_offered();
    });
}

void flap_link(RoutingTrial& trial) {
  trial.step("link down and up", [&] {
    ok(trial.lab().set_wan_link(0, lab::LinkState::down));
    trial.offered({1, 2});
    trial.flows(1000);  // some two seconds: the length of the flap
    ok(trial.lab().restore_wan_link(0));
    trial.all_offered();
  });
}

void reset_peers(RoutingTrial& trial) {
  for (const std::size_t i : {0, 1})
    trial.step("reset " + trial.lab().topology().upstreams[i].name, [&, i] {
      ok(trial.lab().speaker(i).reset_sessions());
      trial.all_offered();
    });
}

void restart_hopwise(RoutingTrial& trial) {
  trial.step("hopwise kill -9, start", [&] {
    trial.router().daemon().kill(SIGKILL);
    trial.router().daemon().wait(2s);
    trial.router().start(Json::object());
  });
}

// Killed, and for some hundred packets not there.
void restart_bgp(RoutingTrial& trial) {
  auto& speaker = trial.lab().router_speaker();
  trial.step(speaker.bgp_program() + " kill -9, start", [&] {
    ok(speaker.kill(speaker.bgp_program()));
    ok(speaker.start_again(speaker.bgp_program()));
    trial.all_offered();
  });
}

// zebra forgets its own routes at its start, and bgpd does not tell it anew: both start again, as
// watchfrr would have it.
void restart_zebra(RoutingTrial& trial) {
  auto& speaker = trial.lab().router_speaker();
  trial.step("zebra kill -9, start", [&] {
    ok(speaker.kill("zebra"));
    trial.flows();  // nothing withdraws its routes
    ok(speaker.start_again("zebra"));
    ok(speaker.kill("bgpd"));
    ok(speaker.start_again("bgpd"));
    trial.all_offered();
  });
}

void restart_upstreams(RoutingTrial& trial) {
  for (const std::size_t i : {0, 1, 2}) {
    auto& speaker = trial.lab().speaker(i);
    trial.step("upstream's " + speaker.bgp_program() + " kill -9, start", [&] {
      ok(speaker.kill(speaker.bgp_program()));
      ok(speaker.start_again(speaker.bgp_program()));
      trial.all_offered();
    });
  }
}

void all_of_frr(RoutingTrial& trial) {
  withdraw_and_announce(trial);
  reset_peers(trial);
  flap_link(trial);
  restart_upstreams(trial);
  restart_bgp(trial);
  restart_zebra(trial);
  restart_hopwise(trial);
}

}  // namespace

TEST_CASE("FRR's default form: nothing that happens to routing outdates the data plane", "[e2e]") {
  RoutingTrial trial("FRR", three_upstreams());
  all_of_frr(trial);
}

TEST_CASE("FRR with nexthop_compat_mode 0 and graceful restart does no other", "[e2e]") {
  auto topology = three_upstreams();
  topology.frr_form = lab::FrrForm::groups_only;
  topology.graceful = lab::Graceful::on;
  topology.ipv4_over = lab::Ipv4Over::ipv6;
  RoutingTrial trial("FRR compat 0, graceful", topology);
  all_of_frr(trial);
}

TEST_CASE("FRR's flat form with IPv6 gateways for IPv4 does no other", "[e2e]") {
  auto topology = three_upstreams();
  topology.frr_form = lab::FrrForm::flat;
  topology.ipv4_over = lab::Ipv4Over::ipv6;
  RoutingTrial trial("FRR flat, v4 via v6", topology);
  all_of_frr(trial);
}

TEST_CASE("BIRD does no other", "[e2e]") {
  auto topology = three_upstreams(lab::Daemon::bird);
  topology.ipv4_over = lab::Ipv4Over::ipv6;
  RoutingTrial trial("BIRD, v4 via v6", topology);
  withdraw_and_announce(trial);
  reset_peers(trial);
  flap_link(trial);
  restart_upstreams(trial);
  restart_bgp(trial);
  restart_hopwise(trial);
}

TEST_CASE("fixed routes do no other", "[e2e]") {
  RoutingTrial trial("static", three_upstreams(lab::Daemon::none));
  withdraw_and_announce(trial);
  flap_link(trial);
  restart_hopwise(trial);
}
