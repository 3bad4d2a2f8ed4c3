// What no router should have and some have: more sets of nexthops than there is room for, the
// widest and the narrowest prefixes, routes to the router itself, interfaces that change their name
// or come back as another with the same index. The routes are fixed, written by the test.
#include <csignal>
#include <nlohmann/json.hpp>
#include <numeric>

#include "test/catch.hpp"
#include "test/e2e/routing_trial.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

void ok(const Result<>& done) {
  INFO((done ? "" : done.error().message));
  REQUIRE(done.has_value());
}

// "nexthop via A dev wan0 weight 1 nexthop via B ..." over the first upstreams, one weight each.
std::string legs(const std::vector<int>& weights, Family family = Family::v4) {
  std::string text;
  for (std::size_t i = 0; i < weights.size(); ++i)
    text += " nexthop via " +
            (family == Family::v4 ? "10.99." + std::to_string(i) + ".2"
                                  : "fd00:99:" + std::to_string(i) + "::2") +
            " dev wan" + std::to_string(i) + " weight " + std::to_string(weights[i]);
  return text;
}

Json to(const Router& router, const std::string& destination) {
  const bool v4 = destination.find(':') == std::string::npos;
  return router.explain("src=" + std::string(v4 ? "10.10.0.2" : "fd00:10::2") +
                        "&dst=" + destination + "&proto=udp&sport=9&dport=9");
}

// More prefixes than there are groups (4094), each with a set of its own: no two pairs of weights
// are in the same proportion.
constexpr int kSets = 4300;
std::string sets(const std::string& word) {
  std::string batch;
  for (int a = 1, n = 0; n < kSets; ++a)
    for (int b = 1; b < a && n < kSets; ++b) {
      if (std::gcd(a, b) != 1) continue;
      batch += "route " + word + " 198." + std::to_string(18 + n / 65536) + "." +
               std::to_string(n / 256 % 256) + "." + std::to_string(n % 256) + "/32" +
               (word == "del" ? "" : legs({a, b})) + "\n";
      ++n;
    }
  return batch;
}
constexpr const char* kFirstSet = "198.18.0.0";
constexpr const char* kLastSet = "198.18.16.203";  // number 4299

// A status of thousands of groups takes the daemon its time: its log is asked first.
bool told(Router& router, const std::string& word) {
  return router.daemon().log().find(word) != std::string::npos;
}

bool has_nexthop_on(const Router& router, const std::string& interface) {
  const Json status = router.status();
  for (const Json& nexthop : status["nexthops"])
    if (nexthop["interface"] == interface) return true;
  return false;
}

}  // namespace

TEST_CASE("routes of every width, to itself, and more sets than fit: the rest is the kernel's",
          "[e2e]") {
  RoutingTrial trial("static", three_upstreams(lab::Daemon::none));
  Router& router = trial.router();
  const auto& kernel = trial.lab().router();
  const auto steered = [&] { return router.status()["routes_steered"].get<int>(); };

  trial.step("default routes, /32, /128", [&] {
    ok(kernel.ip("route replace default" + legs({1, 1}) + "\nroute replace ::/0" +
                 legs({1, 1}, Family::v6) + "\nroute replace 198.51.100.7/32" + legs({1, 1, 1}) +
                 "\nroute replace 2001:db8:7::7/128" + legs({1, 1, 1}, Family::v6)));
    CHECK(lab::eventually(10s, [&] { return steered() == 6; }));
    CHECK(to(router, "192.0.2.1")["route"] == "0.0.0.0/0");
    CHECK(to(router, "198.51.100.7")["route"] == "198.51.100.7/32");
    CHECK(to(router, "198.51.100.7")["paths"].size() == 3);
    CHECK(to(router, "198.51.100.8")["paths"].size() == 2);
    CHECK(to(router, "2001:db8:7::7")["route"] == "2001:db8:7::7/128");
    CHECK(to(router, "2001:db8:8::8")["route"] == "::/0");
  });

  trial.step("routes to the router itself", [&] {
    // An own address within the service prefix, and steered routes to gateways through themselves
    // and through each other.
    ok(kernel.ip("addr add 203.0.113.77/32 dev lo\naddr add 2001:db8:113::77/128 dev lo nodad\n" +
                 ("route replace 10.99.0.2/32" + legs({1, 1})) + "\nroute replace 203.0.113.77/32" +
                 legs({1, 1})));
    CHECK(lab::eventually(10s, [&] { return steered() == 7; }));
    for (const char* own : {"203.0.113.77", "2001:db8:113::77"})
      CHECK(to(router, own)["group"].is_null());
    CHECK_FALSE(to(router, "203.0.113.78")["group"].is_null());
    CHECK(trial.lab().client().run({"fping", "-q", "-t", "2000", "203.0.113.77"}).has_value());
    ok(
        kernel.ip("route del 10.99.0.2/32\nroute del 203.0.113.77/32\n"
                  "addr del 203.0.113.77/32 dev lo\naddr del 2001:db8:113::77/128 dev lo"));
    CHECK(lab::eventually(10s, [&] { return steered() == 6; }));
    CHECK_FALSE(to(router, "203.0.113.77")["group"].is_null());
  });

  trial.step("more sets than groups", [&] {
    ok(kernel.ip(sets("replace")));
    CHECK(lab::eventually(30s, [&] { return told(router, "event=route_not_steered"); }));
    CHECK(steered() > 4000);
    CHECK(steered() < kSets);
    // The last found no room: the kernel's route serves, and explain says so.
    CHECK(to(router, kLastSet)["group"].is_null());
    CHECK_FALSE(to(router, kFirstSet)["group"].is_null());
    ok(kernel.ip(sets("del")));
    CHECK(lab::eventually(30s, [&] { return to(router, kFirstSet)["route"] == "0.0.0.0/0"; }));
    CHECK(lab::eventually(30s, [&] { return to(router, kLastSet)["route"] == "0.0.0.0/0"; }));
    CHECK(steered() == 6);
  });
}

TEST_CASE("an interface with another name is the same, one that comes back is taken up", "[e2e]") {
  RoutingTrial trial("static", three_upstreams(lab::Daemon::none));
  Router& router = trial.router();
  const auto& kernel = trial.lab().router();

  trial.step("interface renamed", [&] {
    ok(kernel.ip("link set wan1 name uplink"));
    CHECK(lab::eventually(10s, [&] { return has_nexthop_on(router, "uplink"); }));
    CHECK_FALSE(has_nexthop_on(router, "wan1"));
    trial.flows();
    ok(kernel.ip("link set uplink name wan1"));
    CHECK(lab::eventually(10s, [&] { return has_nexthop_on(router, "wan1"); }));
  });

  // The sockets that see packets go with the interface: what comes by it is told by the relay.
  const auto remade = trial.observe("interface made anew, same index", [&] {
    ok(trial.lab().remake_wan_link(0));
    trial.all_offered();
  });
  CHECK(remade.difference.empty());
  // Flows stay where they are: it is the new ones that come.
  lab::StreamPlan fresh;
  fresh.server = *IpAddress::parse(lab::kService4);
  fresh.port = 5004;
  fresh.flows = 256;
  auto stream = lab::PacketStream::start(trial.lab().client(), trial.lab().server(), fresh).value();
  CHECK(lab::eventually(10s, [&] { return router.delivered(0, fresh.port) > 0; }));
}

// What the figures of all these cases are worth: they tell of a daemon that does not do its work.
TEST_CASE("packets to a nexthop that routing has withdrawn are seen", "[e2e]") {
  RoutingTrial trial("static", three_upstreams(lab::Daemon::none));
  const auto row = trial.observe("withdrawn while hopwise sleeps", [&] {
    trial.router().daemon().kill(SIGSTOP);
    ok(trial.lab().withdraw(0));
    trial.flows();
    trial.router().daemon().kill(SIGCONT);
    trial.flows();
    ok(trial.lab().announce(0));
  });
  CHECK(row.difference.empty());
  CHECK(row.stale.withdrawals == 2);
  CHECK(row.stale.packets > 10);
  CHECK(row.stale.worst > 100ms);
}
