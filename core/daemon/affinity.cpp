#include "core/daemon/affinity.hpp"

#include <algorithm>

#include "core/daemon/terms.hpp"

namespace hopwise {
namespace {

using dataplane::Affinity;

constexpr Duration kLongestGap = std::chrono::seconds(65);  // milliseconds in 16 bits

std::vector<PathDelay> delays(const Group& group, const engine::Engine& engine) {
  std::vector<PathDelay> known;
  const auto views = engine.group(group.id);
  for (std::size_t i = 0; i < views.size() && i < group.paths.size(); ++i) {
    const auto nexthop = engine.nexthop(group.paths[i].nexthop);
    if (!views[i].usable || !nexthop || !nexthop->estimate.rtt) continue;
    known.push_back({*nexthop->estimate.rtt, nexthop->estimate.jitter});
  }
  return known;
}

}  // namespace

AffinityRule affinity_rule(const std::vector<const Nexthop*>& nexthops,
                           const config::Config& config) {
  const auto* entry = configured_group(nexthops, config);
  if (entry == nullptr) return {config.affinity, config::GroupConfig{}.flowlet_gap};
  return {entry->affinity.value_or(config.affinity), entry->flowlet_gap};
}

std::optional<std::string> group_name(const std::vector<const Nexthop*>& nexthops,
                                      const config::Config& config) {
  const config::GroupConfig* entry = configured_group(nexthops, config);
  return entry != nullptr ? std::optional(entry->name) : std::nullopt;
}

Duration flowlet_gap(Duration minimum, std::span<const PathDelay> paths) {
  Duration gap = minimum;
  const auto lowest =
      std::min_element(paths.begin(), paths.end(),
                       [](const PathDelay& a, const PathDelay& b) { return a.rtt < b.rtt; });
  for (const PathDelay& path : paths) gap = std::max(gap, path.rtt - lowest->rtt + 2 * path.jitter);
  return std::min(gap, kLongestGap);
}

bool differs(Duration before, Duration after) {
  return std::chrono::abs(after - before) * 10 > before;
}

void Affinities::settle(const Group& group, const AffinityRule& rule) {
  AffinityRule now = rule;
  if (now.affinity == Affinity::flowlet)
    now.flowlet_gap = flowlet_gap(rule.flowlet_gap, delays(group, engine_));
  const auto known = settled_.find(group.id);
  if (known != settled_.end()) {
    known->second.asked = rule;
    if (known->second.told.affinity == now.affinity &&
        !differs(known->second.told.flowlet_gap, now.flowlet_gap))
      return;
  }
  settled_[group.id] = {rule, now};
  dataplane_.set_affinity(group.id, now.affinity, now.flowlet_gap);
}

void Affinities::follow_delays(const Group& group) {
  const auto known = settled_.find(group.id);
  if (known == settled_.end() || known->second.asked.affinity != Affinity::flowlet) return;
  settle(group, AffinityRule(known->second.asked));
}

Affinity Affinities::of(GroupId id) const {
  const auto known = settled_.find(id);
  return known == settled_.end() ? Affinity::flow : known->second.told.affinity;
}

}  // namespace hopwise
