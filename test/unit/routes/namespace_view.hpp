// A follower against the running kernel, in a network namespace of its own that ends with its
// thread. Three Ethernet links v0..v2 (carrier by their peers p0..p2) lead to gateways 10.0.N.2 and
// fd00:N::2. After every history a follower that has just begun must see the same.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <future>

#include "core/routes/follower.hpp"
#include "test/catch.hpp"

namespace hopwise::routes {

using namespace std::chrono_literals;

// Whoever waits for a fact gives up after this long: far beyond what a loaded machine needs.
inline constexpr auto kPatience = 10s;

inline void sh(const std::string& command) {
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
  std::map<NexthopKey, Neighbour> neighbours;
  std::vector<std::string> troubles;
  std::map<Prefix, std::size_t> reports;
  Follower follower;

 private:
  Events events() {
    return {
        .route =
            [this](const Route& route) {
              ++reports[route.prefix];
              // Differences only.
              const auto told = routes.find(route.prefix);
              if (told != routes.end()) CHECK(told->second != route.nexthops());
              routes[route.prefix] = route.nexthops();
            },
        .withdrawn = [this](const Prefix& prefix) { CHECK(routes.erase(prefix) == 1); },
        .interface =
            [this](const Interface& interface) { interfaces[interface.ifindex] = interface; },
        .interface_gone = [this](std::uint32_t index) { CHECK(interfaces.erase(index) == 1); },
        .neighbour = [this](const NexthopKey& key, const Neighbour& n) { neighbours[key] = n; },
        .trouble = [this](const Error& error) { troubles.push_back(error.message); },
    };
  }
};

// What is reported must become `expected`; the reports must become what a new follower sees.
inline void becomes(View& view, const std::string& prefix, const std::string& expected) {
  view.until([&] { return view.route(prefix) == expected; });
  INFO(prefix);
  CHECK(view.route(prefix) == expected);
}

inline void agrees_with_a_fresh_one(View& view) {
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

}  // namespace hopwise::routes
