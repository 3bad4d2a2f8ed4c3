// A router and a peer that answers everything, with one veth between them, for probers:
//
//   hw<pid>-<label>-rtr  wan 10.77.0.1/16 -------- 10.77.x.y eth0  hw<pid>-<label>-peer
//
// Every address of 10.77.0.0/16 (gateways) and 10.78.0.0/16 (anchors) is the peer's own; the kernel
// of the peer answers. Neighbours are fixed.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "probes/prober.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::bench {

class Mirror {
 public:
  /// With `gateways` neighbours.
  Mirror(const std::string& label, std::uint32_t gateways);

  [[nodiscard]] const lab::Namespace& router() const { return router_; }
  [[nodiscard]] const lab::Namespace& peer() const { return peer_; }
  /// The n-th, from 0.
  [[nodiscard]] static IpAddress gateway(std::uint32_t n);
  [[nodiscard]] static IpAddress anchor(std::uint32_t n);
  [[nodiscard]] Nexthop nexthop(std::uint32_t n) const;
  [[nodiscard]] probes::Readiness readiness() const;

 private:
  lab::Namespace router_, peer_;
  std::uint32_t ifindex_ = 0;
};

/// What a prober did in a stretch of time.
struct Probing {
  double seconds = 0;
  std::uint64_t sent = 0, received = 0, lost = 0, late = 0, unsent = 0, voids = 0;
  std::uint64_t kernel_stamped = 0, proved = 0;
  bool staged = false;          // bound by the staging device, not by a rule each
  double cpu_seconds = 0;       // of this thread; the peer's answers are made in it
  std::vector<double> rtts_us;  // of up to a million replies

  [[nodiscard]] double rate() const { return static_cast<double>(sent) / seconds; }
  [[nodiscard]] double cpu_us_per_probe() const {
    return cpu_seconds * 1e6 / static_cast<double>(sent);
  }
  /// In us; `part` of 0..1.
  [[nodiscard]] double rtt_quantile(double part) const;
};

struct ProbingPlan {
  probes::Options options;
  std::vector<probes::Target> targets;
  probes::Readiness readiness;
  Duration warm_up = std::chrono::seconds(2);
  Duration measured = std::chrono::seconds(5);
  enum class Bound : std::uint8_t { by_rules, staged };
  Bound bound = Bound::by_rules;
};

/// A prober in `where`, on the calling thread.
Probing probe(const lab::Namespace& where, const ProbingPlan& plan);

}  // namespace hopwise::bench
