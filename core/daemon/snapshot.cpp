#include "core/daemon/snapshot.hpp"

#include <algorithm>

#include "core/model/format.hpp"

namespace hopwise {
namespace {

// A path's newest sample older than this no longer proves that steering stands on measurements.
constexpr Duration kFresh = std::chrono::seconds(5);

NexthopStatus describe(const NexthopRecord& record, const SnapshotParts& parts) {
  NexthopStatus status;
  status.nexthop = record.nexthop;
  status.link_up = record.link_up;
  status.neighbour_resolved = record.neighbour_resolved;
  status.gateway_address = record.gateway_address;
  status.bfd_down = record.bfd_down;
  const NexthopId id = record.nexthop.id;
  status.state_since = parts.history.state_since(id);
  status.probes.assign(std::ranges::lower_bound(parts.probes, id, {}, &ProbeStatus::nexthop),
                       std::ranges::upper_bound(parts.probes, id, {}, &ProbeStatus::nexthop));
  const auto capacity = parts.steering.capacity_of(record.nexthop);
  status.bandwidth = parts.bandwidths.of(record.nexthop, capacity);
  status.trains = parts.bandwidths.trains_of(id);
  status.load = parts.bandwidths.load(record.nexthop, capacity);
  status.carrier = parts.engine.carrier(id);
  const auto view = parts.engine.nexthop(id);
  if (!view) return status;
  status.state = view->state;
  status.estimate = view->estimate;
  status.shift = view->shift;
  for (ProbeStatus& probe : status.probes)
    probe.blamed = std::ranges::find(view->blamed, probe.anchor) != view->blamed.end();
  return status;
}

void describe_control(GroupStatus& status, const SnapshotParts& parts,
                      const DataplaneCounters& counters, TimePoint now) {
  if (const auto found = counters.control.find(status.id); found != counters.control.end())
    status.control_traffic = found->second;
  if (const auto* reading = parts.readings.control(status.id)) {
    status.control_passive = reading->fresh(now);
    status.control_total = reading->total;
  }
}

std::optional<std::string> name_of(const Group& group, const SnapshotParts& parts) {
  std::vector<const Nexthop*> nexthops;
  for (const Path& path : group.paths)
    if (const auto found = parts.steering.nexthops().find(path.nexthop);
        found != parts.steering.nexthops().end())
      nexthops.push_back(&found->second.nexthop);
  return group_name(nexthops, parts.config);
}

GroupStatus describe(const Group& group, const SnapshotParts& parts,
                     const DataplaneCounters& counters, TimePoint now) {
  GroupStatus status;
  status.id = group.id;
  status.routes = parts.steering.routes_of(group.id);
  if (group.variant.destination) status.destination = group.variant.destination->text();
  status.affinity = dataplane::text(parts.steering.affinity_of(group.id));
  if (const std::string name = parts.steering.class_of(group); !name.empty())
    status.traffic_class = name;
  status.name = name_of(group, parts);
  status.law = parts.engine.law(group.id);
  describe_control(status, parts, counters, now);
  const auto views = parts.engine.group(group.id);
  const auto buckets = parts.dataplane.buckets(group.id);
  for (std::size_t i = 0; i < group.paths.size(); ++i) {
    PathStatus path;
    path.path = group.paths[i];
    if (i < views.size()) {
      path.weight = views[i].weight;
      path.usable = views[i].usable;
      path.cost = views[i].cost;
    }
    if (i < buckets.size()) path.buckets = buckets[i];
    if (const auto found = counters.paths.find(path.path.id); found != counters.paths.end())
      path.traffic = found->second;
    if (const auto* reading = parts.readings.path(path.path.id)) {
      path.passive = reading->fresh(now);
      path.passive_total = reading->total;
    }
    status.paths.push_back(path);
  }
  return status;
}

bool is_fresh(const NexthopStatus& nexthop, TimePoint now) {
  const auto& newest = nexthop.estimate.newest;
  return nexthop.state != PathState::down && newest && now - *newest < kFresh;
}

// Empty when traffic is being steered on fresh measurements; else why not.
std::string why_not_ready(const Status& status, const SnapshotParts& parts, TimePoint now) {
  const auto attached = [&](const char* role) {
    return std::any_of(status.interfaces.begin(), status.interfaces.end(),
                       [&](const InterfaceStatus& i) { return i.role == role; });
  };
  if (!parts.permission.held_because().empty()) return parts.permission.held_because();
  if (status.groups.empty()) return "no multipath route to steer";
  if (!attached("lan")) return "steer is attached to no LAN interface";
  if (!parts.steering.marks_lead()) return "no nexthop's mark leads by it yet (see `ip rule`)";
  if (status.steering && status.lease_remaining_s <= 0) return "the lease is over";
  if (std::none_of(status.nexthops.begin(), status.nexthops.end(),
                   [&](const NexthopStatus& n) { return is_fresh(n, now); }))
    return "no nexthop has a fresh sample";
  return {};
}

std::string join(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += (all.empty() ? "" : ", ") + part;
  return all;
}

std::string class_words(const FlowPlacement& p, const SnapshotParts& parts) {
  if (p.class_rule == 0) return {};
  return " for class " + parts.steering.class_of({{}, {}, {p.traffic_class}}) + " by rule " +
         std::to_string(p.class_rule);
}

std::string summarise(const Explanation& e, const SnapshotParts& parts) {
  const auto& p = e.placement;
  const auto& names = parts.steering.nexthops();
  if (!p.route)
    return "No route that hopwise knows covers this destination: the kernel forwards it.";
  if (!p.group)
    return "The longest match, " + p.route->text() +
           ", is left to the kernel (fewer than two nexthops, or excluded by the configuration).";
  if (p.dry_run && !p.nexthop)
    return "Group " + std::to_string(raw(*p.group)) +
           " is in dry run: it is decided about, and the kernel forwards its traffic.";
  if (!p.nexthop)
    return "Group " + std::to_string(raw(*p.group)) +
           " does not steer it now (no usable path, or the lease is over): the kernel forwards it.";
  const std::string by = p.flow_nexthop && *p.flow_nexthop == *p.nexthop
                             ? "the flow sticks to it"
                             : "bucket " + std::to_string(p.bucket) + " holds it";
  return "Goes to " + name_of(*p.nexthop, names) + ": route " + p.route->text() + " -> group " +
         std::to_string(raw(*p.group)) + class_words(p, parts) + ", and " + by + ".";
}

}  // namespace

std::string name_of(NexthopId id, const std::map<NexthopId, NexthopRecord>& nexthops) {
  const auto found = nexthops.find(id);
  return found == nexthops.end() ? "nexthop-" + std::to_string(raw(id))
                                 : found->second.nexthop.name;
}

void follow(engine::Engine& engine, const std::map<NexthopId, NexthopRecord>& nexthops,
            History& history) {
  for (const Effect& effect : engine.take_effects()) history.took_effect(effect);
  for (const auto& [id, record] : nexthops)
    if (const auto view = engine.nexthop(id)) history.saw(id, view->state);
}

Status take_snapshot(const SnapshotParts& parts, TimePoint now) {
  const Journal& journal = parts.history.journal();
  Status status;
  status.version = HOPWISE_VERSION;
  status.uptime_s = seconds(now - journal.started);
  status.steering = parts.config.steer;
  status.actuator = text(parts.permission.actuator().actuator);
  status.actuator_because = parts.permission.actuator().because;
  status.lease_remaining_s = std::max(0.0, seconds(parts.dataplane.lease_expires() - now));
  status.interfaces = parts.dataplane.attachments();
  for (const auto& [id, record] : parts.steering.nexthops())
    status.nexthops.push_back(describe(record, parts));
  status.probing = parts.probing;

  const DataplaneCounters counters = parts.dataplane.counters();
  for (const Group* group : parts.steering.groups())
    status.groups.push_back(describe(*group, parts, counters, now));
  status.destinations = parts.destinations.status();
  if (parts.config.candidates.from != routes::OfferPolicy::From::none) {
    status.candidates = parts.candidates.status();
    status.candidates->withheld = parts.steering.withheld_groups();
    status.candidates->plain_routes = parts.steering.plain_routes();
  }
  if (parts.bgp != nullptr) status.bgp = parts.bgp->status();
  if (parts.bmp != nullptr) status.bmp = parts.bmp->status();
  status.routes_steered = parts.steering.steered_routes();
  status.routes_kernel = parts.steering.kernel_routes();
  status.packets_by_reason = counters.packets_by_reason;
  status.dataplane_events = counters.events;
  status.decisions_by_reason = journal.by_reason;
  status.recent_decisions.assign(journal.recent.begin(), journal.recent.end());
  status.reloads = journal.reloads;
  status.reload_failures = journal.reload_failures;
  status.history = parts.history.status();
  status.not_ready_because = why_not_ready(status, parts, now);
  status.ready = status.not_ready_because.empty();
  return status;
}

Result<Explanation> explain_flow(const SnapshotParts& parts, const FlowTuple& flow, TimePoint now) {
  if (flow.source.family != flow.destination.family)
    return Error{"explain: source " + flow.source.text() + " and destination " +
                 flow.destination.text() + " are of different families"};
  Explanation explanation;
  explanation.placement = parts.dataplane.place(flow, now);
  const auto& id = explanation.placement.group;
  const Group* group = id ? parts.steering.group(*id) : nullptr;
  if (group != nullptr) {
    explanation.paths = describe(*group, parts, parts.dataplane.counters(), now).paths;
    for (const Path& path : group->paths)
      if (const auto found = parts.steering.nexthops().find(path.nexthop);
          found != parts.steering.nexthops().end())
        explanation.nexthops.push_back(describe(found->second, parts));
    const auto& recent = parts.history.journal().recent;
    const auto last = std::find_if(recent.rbegin(), recent.rend(),
                                   [&](const Decision& d) { return d.group == *id; });
    if (last != recent.rend()) explanation.last_decision = *last;
  }
  if (explanation.placement.traffic_class != 0)
    explanation.traffic_class =
        parts.steering.class_of({{}, {}, {explanation.placement.traffic_class}});
  explanation.summary = summarise(explanation, parts);
  return explanation;
}

void log_decision(Log& log, const Decision& decision,
                  const std::map<NexthopId, NexthopRecord>& nexthops) {
  std::vector<std::string> shares;
  for (const PathShare& share : decision.paths) {
    shares.push_back(
        name_of(share.nexthop, nexthops) +
        format(":%.3f>%.3f%s", share.before, share.after, share.candidate ? "(candidate)" : ""));
  }
  log.info("decision", {{"group", std::to_string(raw(decision.group))},
                        {"reason", std::string(text(decision.reason))},
                        {"cause", decision.cause ? name_of(*decision.cause, nexthops) : "-"},
                        {"weights", join(shares)},
                        {"evidence", decision.evidence}});
}

}  // namespace hopwise
