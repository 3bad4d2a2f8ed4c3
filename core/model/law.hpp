// What the control law holds of a group now, for status, metrics and explanations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/decision.hpp"
#include "core/model/path.hpp"

namespace hopwise {

/// How much faster the steered flows of a group are than its control flows, which routing carries.
/// Positive is gain. The interval is of 95 %.
struct Gain {
  double control_ms = 0;  // medians
  double steered_ms = 0;
  double gain_ms = 0;
  double lower_ms = 0;
  double upper_ms = 0;
  std::uint64_t samples = 0;  // of the smaller side
};

/// The same of retransmissions: ratios of segments with data. Positive is gain.
struct LossGain {
  double control = 0;
  double steered = 0;
  double gain = 0;
  double lower = 0;
  double upper = 0;
  std::uint64_t segments = 0;  // of the smaller side
};

struct PathLaw {
  PathId path{};
  NexthopId nexthop{};
  double weight = 0;
  double wanted = 0;  // share that the slow law wants, before faults limit it
  double limit = 1;
  bool usable = false;
  CostTerms terms{};
  Prediction predicted{};
  std::optional<double> active_ms{};        // round-trip time by probes ...
  std::optional<double> passive_ms{};       // ... and by its own traffic
  double passive_share = 0;                 // of the evidence, 0..1
  std::optional<double> disagreement_ms{};  // the two tell surely different things: this far apart
  std::optional<double> retransmitted{};    // ratio of segments with data
  std::optional<double> ece{};              // ratio of acknowledgements
  std::optional<double> own_bit_s{};        // of this path's own traffic, forward
  bool meets_objectives = true;
  bool candidate = false;  // BGP told of it, and the kernel's route does not use it
};

struct GroupLawView {
  GroupId group{};
  std::string policy;
  bool dry_run = false;
  bool reverted = false;
  std::optional<double> demand_bit_s{};
  double gain = 0;         // of the loop, as scheduled: g
  double gain_stable = 0;  // up to which it is stable
  std::string held{};      // why nothing moves now; empty: it may
  std::optional<Gain> proof{};
  std::optional<LossGain> loss_proof{};
  std::vector<PathLaw> paths{};

  [[nodiscard]] double margin() const { return gain_stable > 0 ? gain / gain_stable : 0; }
};

/// What is known of a nexthop as a carrier.
struct CarrierView {
  std::optional<double>
      capacity_bit_s{};         // as used by the law: told or learnt, less what the commit forbids
  std::string capacity_from{};  // "configured", "link", "learnt", "commit", "passive_peak", "train"
  std::optional<double> load_bit_s{};  // forward, of all who use it
  std::optional<double> utilisation{};
  std::optional<double> commit_bit_s{};
  std::optional<double> percentile_bit_s{};  // 95th of this period so far
  double price = 0;
};

}  // namespace hopwise
