// What a group wants of its paths: how the figures of a path become one cost, which objectives a
// path must meet, and what is known of the nexthops that no measurement tells.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/bandwidth.hpp"
#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise::engine {

/// Weights of the cost's terms, and where each saturates. Ratios are 0..1.
struct Policy {
  std::string name = "balanced";
  double delay_weight = 1.0;
  double queue_weight = 0.5;
  double loss_weight = 1.0;
  double jitter_weight = 0.25;
  double price_weight = 0;
  double load_weight = 1.0;  // of phi, the predicted load's cost
  Duration delay_floor = std::chrono::milliseconds(10);
  Duration delay_limit = std::chrono::milliseconds(120);
  Duration queue_limit = std::chrono::milliseconds(50);
  double loss_limit = 0.05;
  Duration jitter_limit = std::chrono::milliseconds(30);
  double price_limit = 1;  // of NexthopTerms::price

  bool operator==(const Policy&) const = default;
};

/// "balanced", "latency", "throughput", "loss", "cost"; empty for any other name.
std::optional<Policy> policy_named(std::string_view name);
std::span<const std::string_view> policy_names();

/// The policy with each weight or limit that is negative or no number replaced by the default's.
Policy sound(const Policy& policy);

/// What becomes of a group while none of its paths meets the objectives.
enum class Unmet : std::uint8_t {
  best,     // the paths that come nearest carry the traffic
  routing,  // routing's own weights
};

/// A path that surely breaks one is left like a degraded one, while another surely meets them.
struct Objectives {
  std::optional<Duration> max_latency{};        // of the round-trip time
  std::optional<double> max_loss{};             // 0..1
  std::optional<double> min_bandwidth_bit_s{};  // left over on the nexthop, at its capacity
  Unmet unmet = Unmet::best;

  [[nodiscard]] bool any() const { return max_latency || max_loss || min_bandwidth_bit_s; }
  bool operator==(const Objectives&) const = default;
};

/// The nexthop is preferred until another is faster by this much.
struct Preference {
  NexthopId nexthop{};
  Duration worth{};

  bool operator==(const Preference&) const = default;
};

/// Whether steering a group may be tried at all.
enum class Mode : std::uint8_t {
  steer,
  dry_run,  // it is decided and explained, and nothing is installed: traffic follows routing
};

struct GroupTerms {
  Policy policy{};
  Objectives objectives{};
  std::vector<Preference> preferences{};
  Mode mode = Mode::steer;
  bool revert = true;  // to routing's own weights while steering surely makes things worse
  /// Candidates that may not carry anything now, not even their running flows.
  std::vector<NexthopId> withheld{};

  bool operator==(const GroupTerms&) const = default;
};

/// What a nexthop can carry, as told: exact, or a bound from below that leaves the truth to be
/// learnt.
struct Capacity {
  double bit_s = 0;
  bool exact = true;
  BandwidthMethod method = BandwidthMethod::configured;  // who says so

  bool operator==(const Capacity&) const = default;
};

struct NexthopTerms {
  std::optional<Capacity> capacity{};    // exact: never loaded beyond; else as `at_least`
  std::optional<double> commit_bit_s{};  // 95th percentile that is paid for
  double price = 0;                    // of a byte beyond the commit, or of any where there is none
  std::optional<Capacity> at_least{};  // what was measured that it carries

  bool operator==(const NexthopTerms&) const = default;
};

}  // namespace hopwise::engine
