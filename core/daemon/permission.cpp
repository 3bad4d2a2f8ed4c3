#include "core/daemon/permission.hpp"

#include <algorithm>

namespace hopwise {
namespace {

using dataplane::Actuator;
using dataplane::Affinity;

bool moves_running_flows(const config::Config& config) {
  const auto moves = [](Affinity affinity) { return affinity != Affinity::flow; };
  return moves(config.affinity) || std::any_of(config.groups.begin(), config.groups.end(),
                                               [&](const config::GroupConfig& group) {
                                                 return group.affinity && moves(*group.affinity);
                                               });
}

}  // namespace

Permission::Permission(const config::Config& config, Log& log) : log_(log) {
  const auto& named = config.lan_interfaces;
  actuator_ = choose_actuator(config.dataplane.actuator,
                              find_policy(named.empty() ? every_interface() : named),
                              config.probes.rule_priority);
  log_.info("actuator", {{"actuator", text(actuator_.actuator)}, {"because", actuator_.because}});
  check_wishes(config);
}

dataplane::Options Permission::dataplane_options(const config::Config& config) const {
  dataplane::Options options = config.dataplane;
  options.actuator = actuator_.actuator;
  options.escape = config::may_escape(config, actuator_.actuator);
  return options;
}

probes::Options Permission::probe_options(const config::Config& config) const {
  probes::Options options = config.probes;
  options.marks_carry_traffic = actuator_.actuator == Actuator::mark;
  return options;
}

void Permission::check(const config::Config& config,
                       const std::vector<std::string>& lan_interfaces) {
  asked_for_ = lan_interfaces;
  const auto found = find_policy(asked_for_);
  std::string because;
  if (!found)
    because = found.error().message;
  else if (!config.bypass_policy)
    because = why_held(config.dataplane.actuator, actuator_.actuator, *found,
                       config.probes.rule_priority);
  if (because != held_because_ && !because.empty())
    log_.warn("steering_held", {{"because", because}});
  if (because != held_because_ && because.empty()) log_.info("steering_resumed");
  held_because_ = because;
}

// A packet of this host has chosen its source address by its route; and NAT binds a flow to the
// address of the nexthop that it began on.
void Permission::check_wishes(const config::Config& config) const {
  if (actuator_.actuator != Actuator::mark) return;
  if (config.local_traffic)
    log_.error("local_traffic_not_steered",
               {{"because", "the actuator is \"mark\": " + actuator_.because +
                                " (set \"actuator\": \"redirect\" if packets may skip that)"}});
  if (moves_running_flows(config))
    log_.warn("affinity", {{"because",
                            "flowlet and bucket move running flows, and the actuator is \"mark\": "
                            "where there is NAT they break (use \"flow\" there)"}});
}

}  // namespace hopwise
