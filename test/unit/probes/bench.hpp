// A prober in the router's namespace, on a Lan, and what it said.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "probes/prober.hpp"
#include "test/catch.hpp"
#include "test/unit/probes/lan.hpp"

namespace hopwise::probes {

#define NEEDS_ROOT()                               \
  if (geteuid() != 0) {                            \
    WARN("skipped: network namespaces need root"); \
    return;                                        \
  }

// A fast pace, so that a test needs few seconds; deadlines stay far from what a busy machine needs.
inline Options fast() {
  Options options;
  options.interval = std::chrono::milliseconds(20);
  options.suspicious_interval = std::chrono::milliseconds(10);
  options.max_timeout = std::chrono::milliseconds(400);
  return options;
}

inline IpAddress anchor(Family family) {
  return address(family == Family::v4 ? "203.0.113.1" : "2001:db8::1");
}

struct Bench {
  explicit Bench(const Lan& lan, const Options& options = fast(), Staging staging = {})
      : visit(lan.router) {
    auto opened =
        Prober::open(io, options,
                     {.samples =
                          [this](std::span<const Sample> now_known) {
                            samples.insert(samples.end(), now_known.begin(), now_known.end());
                          }},
                     std::move(staging));
    INFO((opened ? "" : opened.error().message));
    REQUIRE(opened.has_value());
    prober = std::move(*opened);
  }

  void probe(const Nexthop& nexthop, std::vector<IpAddress> anchors) {
    probe(Target{nexthop, {anchors.begin(), anchors.end()}}, {true});
  }
  void probe(const Target& target, const Readiness& readiness) {
    const auto done = prober->set_target(target);
    INFO((done ? "" : done.error().message));
    REQUIRE(done.has_value());
    prober->set_ready(target.nexthop.id, readiness);
  }
  std::size_t count(std::uint32_t id, Outcome outcome) const {
    return std::count_if(samples.begin(), samples.end(), [&](const Sample& s) {
      return s.nexthop == NexthopId{id} && s.outcome == outcome;
    });
  }
  ProbeStatus status(std::uint32_t id) const {
    for (const ProbeStatus& s : prober->status())
      if (s.nexthop == NexthopId{id}) return s;
    FAIL("nexthop " << id << " is not probed");
    return {};
  }
  ProbeStatus status(std::uint32_t id, const Anchor& anchor) const {
    for (const ProbeStatus& s : prober->status())
      if (s.nexthop == NexthopId{id} && s.anchor == anchor) return s;
    FAIL(anchor.text() << " is not probed by nexthop " << id);
    return {};
  }
  std::uint64_t voids(std::uint32_t id, Void why) const {
    return status(id).voids[static_cast<std::size_t>(why)];
  }
  // Ends the probing of `id`; true once as many of its probes as were sent have come to `gateway`.
  bool all_came_to(const NetNamespace& gateway, Family family, std::uint32_t id) {
    const auto sent = status(id).sent;
    prober->remove_target(NexthopId{id});
    return wait_for([&] { return gateway.echo_requests(family) == sent; });
  }
  template <class Fact>
  bool wait_for(Fact fact) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!fact() && std::chrono::steady_clock::now() < limit)
      io.run_one_for(std::chrono::milliseconds(20));
    return fact();
  }

  NetNamespace::Visit visit;
  boost::asio::io_context io{1};
  std::vector<Sample> samples;
  std::unique_ptr<Prober> prober;
};

struct Gateways {
  Family family;
  const char *a, *b, *c;
};
inline const Gateways kV4{Family::v4, "10.9.0.1", "10.9.0.2", "10.8.0.3"};
inline const Gateways kV6{Family::v6, "fd09::1", "fd09::2", "fd08::3"};

// What protocol 104 has in the router's kernel.
inline std::string ours(const Lan& lan) {
  return lan.router.output(
      "(ip rule; ip -6 rule) | grep 'proto 104'; ip route show table all proto 104; ip -6 route "
      "show table all proto 104");
}

}  // namespace hopwise::probes
