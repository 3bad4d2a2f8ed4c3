// How each group's flows keep their nexthop: as the configuration says, with a flowlet gap that
// follows the paths' delays.
//
// A flow may change its path in a pause without its packets overtaking each other if the pause is
// longer than the paths' delays differ, jitter included (Kandula et al., "Dynamic Load Balancing
// Without Packet Reordering", 2007).
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/dataplane/dataplane.hpp"
#include "core/engine/engine.hpp"

namespace hopwise {

struct AffinityRule {
  dataplane::Affinity affinity = dataplane::Affinity::flow;
  Duration flowlet_gap{};  // at least

  bool operator==(const AffinityRule&) const = default;
};

/// The configuration's word on a group with these nexthops.
AffinityRule affinity_rule(const std::vector<const Nexthop*>& nexthops,
                           const config::Config& config);

/// The name of the configuration's entry that rules such a group, if there is one.
std::optional<std::string> group_name(const std::vector<const Nexthop*>& nexthops,
                                      const config::Config& config);

struct PathDelay {
  Duration rtt{};
  Duration jitter{};
};
/// Longer than these paths' delays differ, and in [minimum, 65 s].
Duration flowlet_gap(Duration minimum, std::span<const PathDelay> paths);
/// Whether a gap has changed so much that it is worth telling.
bool differs(Duration before, Duration after);

/// Tells the data plane what has changed.
class Affinities {
 public:
  Affinities(dataplane::Dataplane& dataplane, const engine::Engine& engine)
      : dataplane_(dataplane), engine_(engine) {}

  void settle(const Group& group, const AffinityRule& rule);
  /// By the rule that it was settled by: the paths' delays may have changed. Each second, of every
  /// group: costs next to nothing where no gap is asked for.
  void follow_delays(const Group& group);
  void forget(GroupId id) { settled_.erase(id); }
  [[nodiscard]] dataplane::Affinity of(GroupId id) const;

 private:
  dataplane::Dataplane& dataplane_;
  const engine::Engine& engine_;
  struct Settled {
    AffinityRule asked, told;
  };
  std::map<GroupId, Settled> settled_;
};

}  // namespace hopwise
