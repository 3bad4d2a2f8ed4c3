// The follower against the running kernel, in a network namespace of its own that ends with its
// thread. Three Ethernet links v0..v2 (carrier by their peers p0..p2) lead to gateways 10.0.N.2 and
// fd00:N::2. After every history a follower that has just begun must see the same.
#include "core/routes/follower.hpp"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <future>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::routes;
using namespace std::chrono_literals;

namespace {

// Whoever waits for a fact gives up after this long: far beyond what a loaded machine needs.
constexpr auto kPatience = 10s;

void sh(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// A follower, and what it has reported.
class View {
 public:
  explicit View(const Options& options = {}) : follower(io, options, events()) {
    const auto started = follower.start();
    if (!started) FAIL(started.error().message);
  }

  // Whether `fact` comes true.
  template <class Fact>
  bool until(const Fact& fact) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!fact()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io.restart();
      io.run_one_for(50ms);
    }
    return true;
  }

  // "none" for no route, "kernel" for one without nexthops, else "GATEWAY@INTERFACE*WEIGHT ...".
  [[nodiscard]] std::string route(const std::string& prefix) const {
    const auto found = routes.find(*Prefix::parse(prefix));
    if (found == routes.end()) return "none";
    std::string text;
    for (const auto& [key, weight] : found->second)
      text += (text.empty() ? "" : " ") + key.gateway.text() + '@' +
              interfaces.at(key.ifindex).name + '*' + std::to_string(weight);
    return text.empty() ? "kernel" : text;
  }

  [[nodiscard]] std::uint32_t ifindex(const std::string& name) const {
    for (const auto& [index, interface] : interfaces)
      if (interface.name == name) return index;
    throw std::out_of_range(name);
  }

  boost::asio::io_context io;
  std::map<Prefix, std::vector<WeightedNexthop>> routes;
  std::map<std::uint32_t, Interface> interfaces;
  std::map<NexthopKey, bool> neighbours;
  std::vector<std::string> troubles;
  std::size_t route_reports = 0;
  Follower follower;

 private:
  Events events() {
    return {
        .route =
            [this](const Route& route) {
              ++route_reports;
              // Differences only.
              const auto told = routes.find(route.prefix);
              if (told != routes.end()) CHECK(told->second != route.nexthops);
              routes[route.prefix] = route.nexthops;
            },
        .withdrawn = [this](const Prefix& prefix) { CHECK(routes.erase(prefix) == 1); },
        .interface =
            [this](const Interface& interface) { interfaces[interface.ifindex] = interface; },
        .interface_gone = [this](std::uint32_t index) { CHECK(interfaces.erase(index) == 1); },
        .neighbour = [this](const NexthopKey& key, bool resolved) { neighbours[key] = resolved; },
        .trouble = [this](const Error& error) { troubles.push_back(error.message); },
    };
  }
};

// What is reported must become `expected`; the reports must become what a new follower sees.
void becomes(View& view, const std::string& prefix, const std::string& expected) {
  view.until([&] { return view.route(prefix) == expected; });
  INFO(prefix);
  CHECK(view.route(prefix) == expected);
}

void agrees_with_a_fresh_one(View& view) {
  if (view.until([&] {
        const View fresh;
        return fresh.routes == view.routes && fresh.interfaces == view.interfaces;
      }))
    return;
  const View fresh;
  CHECK(fresh.interfaces == view.interfaces);
  for (const auto& routes : {fresh.routes, view.routes})
    for (const auto& [prefix, nexthops] : routes) {
      INFO(prefix.text());
      CHECK(view.route(prefix.text()) == fresh.route(prefix.text()));
    }
}

// Runs `test` in a network namespace with the three links; the namespace ends with the thread.
template <class Test>
void in_namespace(const Test& test) {
  if (geteuid() != 0) {
    WARN("not root: nothing of the kernel's routing is tested here");
    return;
  }
  std::async(std::launch::async, [&] {
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    sh("ip link set lo up");
    for (const char* n : {"0", "1", "2"}) {
      const std::string i = n;
      sh("ip link add v" + i + " type veth peer name p" + i);
      sh("sysctl -qw net.ipv6.conf.v" + i + ".accept_dad=0 net.ipv6.conf.p" + i + ".accept_dad=0");
      sh("ip link set p" + i + " up && ip link set v" + i + " up");
      sh("ip addr add 10.0." + i + ".1/24 dev v" + i);
      sh("ip addr add fd00:" + i + "::1/64 dev v" + i + " nodad");
    }
    test();
  }).get();
}

}  // namespace

TEST_CASE("what stands in the kernel at the start is reported once", "[netns][routes]") {
  in_namespace([] {
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2 weight 3");
    sh("ip -6 route add 2001:db8::/32 nexthop via fd00:1::2 weight 2 nexthop via fd00:2::2");
    sh("ip route add 198.51.100.0/24 via 10.0.2.2");
    sh("ip route add blackhole 203.0.113.0/24");
    View view;
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1 10.0.1.2@v1*3");
    CHECK(view.route("2001:db8::/32") == "fd00:1::2@v1*2 fd00:2::2@v2*1");
    CHECK(view.route("198.51.100.0/24") == "10.0.2.2@v2*1");
    CHECK(view.route("203.0.113.0/24") == "kernel");
    CHECK(view.route("10.0.0.0/24") == "kernel");
    CHECK(view.route("10.0.0.1/32") == "kernel");
    CHECK(view.route("fd00:0::1/128") == "kernel");
    CHECK(view.route("0.0.0.0/0") == "none");
    CHECK(view.route_reports == view.routes.size());
    CHECK(view.follower.lookup(*IpAddress::parse("192.0.2.77"))->prefix.text() == "192.0.2.0/24");
    CHECK_FALSE(view.follower.lookup(*IpAddress::parse("100.64.0.1")));
    const Interface& v0 = view.follower.interfaces().at(view.ifindex("v0"));
    CHECK((v0.up && v0.ethernet && !v0.loopback && v0.mtu == 1500));
    CHECK(view.follower.interfaces().at(view.ifindex("lo")).loopback);
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("IPv4 routes are followed through every way of changing them", "[netns][routes]") {
  in_namespace([] {
    View view;
    const std::string p = "192.0.2.0/24";
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    becomes(view, p, "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip route append 192.0.2.0/24 via 10.0.2.2");
    sh("ip route add 198.51.100.0/24 via 10.0.2.2");
    becomes(view, "198.51.100.0/24", "10.0.2.2@v2*1");
    CHECK(view.route(p) == "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip route prepend 192.0.2.0/24 via 10.0.0.3");
    becomes(view, p, "10.0.0.3@v0*1");
    sh("ip route del 192.0.2.0/24 via 10.0.0.3");
    becomes(view, p, "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip route replace 192.0.2.0/24 nexthop via 10.0.0.2 weight 4 nexthop via 10.0.2.2");
    becomes(view, p, "10.0.0.2@v0*4 10.0.2.2@v2*1");
    sh("ip route change 192.0.2.0/24 via 10.0.1.2");
    becomes(view, p, "10.0.1.2@v1*1");
    sh("ip route add 192.0.2.0/24 metric 5 via 10.0.0.2");
    sh("ip route del 192.0.2.0/24 via 10.0.1.2");
    becomes(view, p, "10.0.2.2@v2*1");
    sh("ip route del 192.0.2.0/24 via 10.0.2.2");
    becomes(view, p, "10.0.0.2@v0*1");
    sh("ip route add 192.0.2.0/24 tos 0x10 via 10.0.2.2");
    becomes(view, p, "kernel");
    sh("ip route del 192.0.2.0/24 tos 0x10 via 10.0.2.2");
    becomes(view, p, "10.0.0.2@v0*1");
    sh("ip route add local 192.0.2.0/24 dev lo table local");
    becomes(view, p, "kernel");
    sh("ip route del local 192.0.2.0/24 dev lo table local");
    becomes(view, p, "10.0.0.2@v0*1");
    sh("ip route flush 192.0.2.0/24");
    becomes(view, p, "none");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("IPv6 routes are followed through every way of changing them", "[netns][routes]") {
  in_namespace([] {
    View view;
    const std::string p = "2001:db8::/32";
    sh("ip -6 route add 2001:db8::/32 nexthop via fd00:0::2 nexthop via fd00:1::2");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1");
    sh("ip -6 route append 2001:db8::/32 via fd00:2::2");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route del 2001:db8::/32 via fd00:1::2");
    becomes(view, p, "fd00::2@v0*1 fd00:2::2@v2*1");
    sh("ip -6 route replace 2001:db8::/32 nexthop via fd00:0::2 nexthop via fd00:1::2 weight 3");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*3");
    sh("ip -6 route change 2001:db8::/32 via fd00:0::2");
    becomes(view, p, "fd00::2@v0*1");
    sh("ip -6 route append 2001:db8::/32 nexthop via fd00:1::2 nexthop via fd00:2::2");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route add 2001:db8::/32 metric 10 via fd00:2::2");
    becomes(view, p, "fd00:2::2@v2*1");
    sh("ip -6 route del 2001:db8::/32 metric 10");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    // An on-link route of the same metric stands beside: which one is used is the kernel's choice.
    sh("ip -6 route append 2001:db8::/32 dev p0");
    becomes(view, p, "kernel");
    sh("ip -6 route del 2001:db8::/32 dev p0");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route add 2001:db8::/32 from fd00:1::/64 via fd00:2::2");
    becomes(view, p, "kernel");
    sh("ip -6 route del 2001:db8::/32 from fd00:1::/64");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route del 2001:db8::/32");
    becomes(view, p, "none");
    sh("ip -6 route add 2001:db8::/32 nexthop via fe80::7 dev v0 nexthop via fe80::7 dev v1");
    becomes(view, p, "fe80::7@v0*1 fe80::7@v1*1");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("nexthop objects and groups are followed", "[netns][routes]") {
  const auto compat = GENERATE(as<std::string>(), "1", "0");
  in_namespace([&] {
    sh("sysctl -qw net.ipv4.nexthop_compat_mode=" + compat);
    View view;
    const std::string p = "192.0.2.0/24";
    sh("ip nexthop add id 1 via 10.0.0.2 dev v0");
    sh("ip nexthop add id 2 via 10.0.1.2 dev v1");
    sh("ip nexthop add id 3 via 10.0.2.2 dev v2");
    sh("ip nexthop add id 10 group 1/2,5");
    sh("ip route add 192.0.2.0/24 nhid 10 proto 186 metric 20");
    becomes(view, p, "10.0.0.2@v0*1 10.0.1.2@v1*5");
    sh("ip nexthop replace id 10 group 1,2/3");
    becomes(view, p, "10.0.0.2@v0*2 10.0.2.2@v2*1");
    sh("ip nexthop replace id 3 via 10.0.2.9 dev v2");
    becomes(view, p, "10.0.0.2@v0*2 10.0.2.9@v2*1");
    sh("ip nexthop del id 1");
    becomes(view, p, "10.0.2.9@v2*1");
    sh("ip nexthop add id 4 blackhole && ip route replace 192.0.2.0/24 nhid 4 proto 186 metric 20");
    becomes(view, p, "kernel");
    sh("ip route replace 192.0.2.0/24 nhid 2 proto 186 metric 20");
    becomes(view, p, "10.0.1.2@v1*1");
    sh("ip nexthop add id 21 via fd00:0::2 dev v0 && ip nexthop add id 22 via fd00:1::2 dev v1");
    sh("ip nexthop add id 20 group 21/22");
    sh("ip -6 route add 2001:db8::/32 nhid 20 metric 20");
    becomes(view, "2001:db8::/32", "fd00::2@v0*1 fd00:1::2@v1*1");
    // The same IPv6 objects serve an IPv4 route.
    sh("ip route replace 192.0.2.0/24 nhid 20 proto 186 metric 20");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1");
    sh("ip nexthop del id 20");
    becomes(view, p, "none");
    becomes(view, "2001:db8::/32", "none");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("IPv4 by way of IPv6 gateways, and a gateway that is on every link", "[netns][routes]") {
  in_namespace([] {
    View view;
    sh("ip route add 192.0.2.0/24 nexthop via inet6 fe80::2 dev v0 nexthop via inet6 fd00:1::2");
    becomes(view, "192.0.2.0/24", "fe80::2@v0*1 fd00:1::2@v1*1");
    sh("ip route add 198.51.100.0/24 nexthop via 169.254.0.1 dev v0 onlink "
       "nexthop via 169.254.0.1 dev v1 onlink");
    becomes(view, "198.51.100.0/24", "169.254.0.1@v0*1 169.254.0.1@v1*1");
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("a set with a member that cannot be steered to is left to the kernel",
          "[netns][routes]") {
  in_namespace([] {
    sh("ip tuntap add dev t0 mode tun && ip link set t0 up && ip addr add 10.9.0.1/24 dev t0");
    View view;
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop dev v1");
    sh("ip route add 198.51.100.0/24 nexthop via 10.0.0.2 nexthop via 10.9.0.2");
    sh("ip route add 203.0.113.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    becomes(view, "203.0.113.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*1");
    CHECK(view.route("192.0.2.0/24") == "kernel");
    CHECK(view.route("198.51.100.0/24") == "kernel");
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("a link that goes takes its members out at once and brings them back",
          "[netns][routes]") {
  const auto end = GENERATE(as<std::string>(), "p1", "v1");
  in_namespace([&] {
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2 nexthop via 10.0.2.2");
    sh("ip -6 route add 2001:db8::/32 nexthop via fd00:0::2 nexthop via fd00:1::2");
    Options slow;
    slow.debounce = 1h;  // no dump comes to help
    View view(slow);
    View helped;
    sh("ip link set " + end + " down");
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*1 10.0.2.2@v2*1");
    CHECK(view.route("2001:db8::/32") == "fd00::2@v0*1");
    CHECK_FALSE(view.interfaces.at(view.ifindex("v1")).up);
    agrees_with_a_fresh_one(helped);
    sh("ip link set " + end + " up");
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*1 10.0.2.2@v2*1");
    CHECK(view.route("2001:db8::/32") == "fd00::2@v0*1 fd00:1::2@v1*1");
    becomes(helped, "192.0.2.0/24", view.route("192.0.2.0/24"));
    agrees_with_a_fresh_one(helped);
  });
}

TEST_CASE("what the kernel drops in silence is found by a new dump", "[netns][routes]") {
  in_namespace([] {
    sh("ip nexthop add id 1 via 10.0.0.2 dev v0 && ip nexthop add id 2 via 10.0.1.2 dev v1");
    sh("ip nexthop add id 10 group 1/2 && ip route add 192.0.2.0/24 nhid 10");
    sh("ip route add 198.51.100.0/24 via 10.0.1.2");
    sh("ip route add 203.0.113.0/24 via 10.0.0.2 src 10.0.2.1");
    View view;
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip link set v1 down");  // silently takes nexthop 2 and 198.51.100.0/24 with it
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*1");
    becomes(view, "198.51.100.0/24", "none");
    agrees_with_a_fresh_one(view);
    sh("ip link set v1 up");
    agrees_with_a_fresh_one(view);
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1");
    sh("ip addr del 10.0.2.1/24 dev v2");  // and this the route that prefers it as source
    becomes(view, "203.0.113.0/24", "none");
    agrees_with_a_fresh_one(view);
    sh("ip link del v0");
    becomes(view, "192.0.2.0/24", "none");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("a backup of higher metric takes over when the best route is dead", "[netns][routes]") {
  in_namespace([] {
    sh("ip route add 192.0.2.0/24 metric 10 nexthop via 10.0.0.2 nexthop via 10.0.0.3");
    sh("ip route add 192.0.2.0/24 metric 20 nexthop via 10.0.1.2 nexthop via 10.0.2.2");
    View view;
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1 10.0.0.3@v0*1");
    sh("ip link set p0 down");
    becomes(view, "192.0.2.0/24", "10.0.1.2@v1*1 10.0.2.2@v2*1");
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("watched gateways are reported as their neighbour entries change", "[netns][routes]") {
  in_namespace([] {
    sh("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
    View view;
    const NexthopKey v4{view.ifindex("v0"), *IpAddress::parse("10.0.0.2")};
    const NexthopKey v6{view.ifindex("v1"), *IpAddress::parse("fd00:1::2")};
    view.follower.watch(v4);
    view.follower.watch(v6);
    CHECK(view.neighbours.at(v4));
    CHECK_FALSE(view.neighbours.at(v6));
    sh("ip neigh add fd00:1::2 lladdr 02:00:00:00:00:02 dev v1 nud stale");
    CHECK(view.until([&] { return view.neighbours.at(v6); }));
    sh("ip neigh change fd00:1::2 dev v1 nud failed");
    CHECK(view.until([&] { return !view.neighbours.at(v6); }));
    sh("ip link set p0 down");
    CHECK(view.until([&] { return !view.neighbours.at(v4); }));
    sh("ip link set p0 up");
    CHECK(view.until([&] { return view.neighbours.at(v4); }));
    sh("ip neigh del 10.0.0.2 dev v0");
    CHECK(view.until([&] { return !view.neighbours.at(v4); }));
    view.follower.unwatch(v4);
    sh("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
    sh("ip neigh change fd00:1::2 lladdr 02:00:00:00:00:03 dev v1 nud stale");
    CHECK(view.until([&] { return view.neighbours.at(v6); }));
    CHECK_FALSE(view.neighbours.at(v4));
  });
}

TEST_CASE("a table that nobody has made yet is followed from its first route", "[netns][routes]") {
  in_namespace([] {
    Options own;
    own.table = 4000;
    View view(own);
    sh("ip route add 198.51.100.0/24 via 10.0.0.2");
    sh("ip route add 192.0.2.0/24 table 4000 via 10.0.0.2");
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*1");
    CHECK(view.route("198.51.100.0/24") == "none");
    const View fresh(own);
    CHECK(fresh.routes == view.routes);
  });
}

TEST_CASE("lost events are told of and repaired", "[netns][routes]") {
  in_namespace([] {
    Options tiny;
    tiny.receive_buffer_bytes = 4096;
    View view(tiny);
    sh("for i in $(seq 0 250); do echo route add 198.18.$i.0/24 nexthop via 10.0.0.2 "
       "nexthop via 10.0.1.2; done | ip -batch -");
    sh("ip -6 route add 2001:db8::/32 via fd00:0::2");
    becomes(view, "198.18.250.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*1");
    REQUIRE_FALSE(view.troubles.empty());
    CHECK(view.troubles.front().find("dropped events") != std::string::npos);
    becomes(view, "198.18.7.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*1");
    becomes(view, "2001:db8::/32", "fd00::2@v0*1");
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("any history ends where a fresh follower begins", "[netns][routes][property]") {
  const auto seed = GENERATE(range(1U, 5U));
  in_namespace([&] {
    std::srand(seed);
    const auto any = [](int n) { return std::to_string(std::rand() % n); };
    sh("ip nexthop add id 1 via 10.0.0.2 dev v0 && ip nexthop add id 2 via 10.0.1.2 dev v1");
    sh("ip nexthop add id 10 group 1/2");
    View view;
    std::string history;
    for (int step = 0; step < 120; ++step) {
      const bool v4 = std::rand() % 2 == 0;
      const std::string verbs[] = {"add", "append", "replace", "change", "prepend", "del", "del"};
      const auto gateway = [&] {
        const std::string link = any(3);
        return v4 ? "via 10.0." + link + ".2 " : "via fd00:" + link + "::2 ";
      };
      const int kind = std::rand() % 6;
      // IPv6 dumps pass over what stands between siblings, so on-link ones have their own metric.
      const std::string metric = kind == 1 && !v4 ? "12 " : std::to_string(10 + std::rand() % 2);
      std::string command = (v4 ? "ip route " : "ip -6 route ") + verbs[std::rand() % 7] +
                            (v4 ? " 192.0.2.0/24 metric " : " 2001:db8::/32 metric ") + metric +
                            ' ';
      switch (kind) {
        case 0:
          command += gateway();
          break;
        case 1:
          command += "dev v" + any(3);
          break;
        case 2:
          command = "ip link set " + std::string(std::rand() % 2 == 0 ? "v" : "p") + any(3) +
                    (std::rand() % 3 == 0 ? " down" : " up");
          break;
        case 3:
          command = "ip nexthop replace id 10 group 1,1" + any(3) + "/2";
          if (std::rand() % 3 == 0 && v4)
            command = "ip route replace 192.0.2.0/24 metric 10 nhid 10";
          break;
        default:
          command += "nexthop " + gateway() + "nexthop " + gateway() + "weight 2";
      }
      // Many are refused, which is fine.
      if (std::system((command + " 2>/dev/null").c_str()) == 0) history += command + '\n';
      if (std::rand() % 4 != 0) view.io.poll();
      INFO(history);
      if (step % 12 == 11) agrees_with_a_fresh_one(view);
    }
  });
}
