// An HttpProber in the router's namespace, on a Lan, its marks bound as the daemon binds them.
#pragma once

#include <map>
#include <vector>

#include "probes/binding/binding.hpp"
#include "probes/http/http_prober.hpp"
#include "test/unit/probes/bench.hpp"

namespace hopwise::probes {

inline Options brisk() {
  Options options;
  options.http_interval = std::chrono::milliseconds(100);
  options.http_timeout = std::chrono::milliseconds(2500);
  return options;
}

inline Anchor web(Family family, ProbeKind kind = ProbeKind::http, std::uint16_t port = 80) {
  return {anchor(family), kind, port};
}

struct HttpBench {
  explicit HttpBench(const Lan& lan, const Options& options = brisk()) : visit(lan.router) {
    auto opened = Binding::open(options);
    REQUIRE(opened.has_value());
    binding = std::move(*opened);
    prober = std::make_unique<HttpProber>(
        io, options,
        HttpProber::Hooks{.samples =
                              [this](std::span<const Sample> known) {
                                samples.insert(samples.end(), known.begin(), known.end());
                              },
                          .depart = [this](NexthopId id, const IpAddress& to) -> Result<Departure> {
                            if (auto bound = binding->bind(nexthops.at(id), to.family); !bound)
                              return bound.error();
                            return Departure{binding->mark(id), {}};
                          }});
  }

  void probe(const Nexthop& nexthop, std::vector<AnchorSpec> anchors) {
    nexthops[nexthop.id] = nexthop;
    prober->set_target({nexthop, std::move(anchors)});
    prober->set_ready(nexthop.id, {true});
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
  std::string trouble(std::uint32_t id) const { return status(id).last_error.value_or(""); }
  bool trouble_has(std::uint32_t id, const std::string& text) const {
    return trouble(id).find(text) != std::string::npos;
  }
  template <class Fact>
  bool wait_for(Fact fact) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!fact() && std::chrono::steady_clock::now() < limit)
      io.run_one_for(std::chrono::milliseconds(20));
    return fact();
  }

  NetNamespace::Visit visit;
  boost::asio::io_context io{1};
  std::unique_ptr<Binding> binding;
  std::map<NexthopId, Nexthop> nexthops;
  std::vector<Sample> samples;
  std::unique_ptr<HttpProber> prober;
};

}  // namespace hopwise::probes
