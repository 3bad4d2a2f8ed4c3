// What bpf/choice.h does with the next packet of a flow, told without sending one. A look-up by
// system call does not count as use in the kernel's LRU tables: nothing is kept alive by asking.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>

#include <cstring>

#include "bpf/class_rule.h"
#include "bpf/hash.h"
#include "core/dataplane/flows.hpp"
#include "core/dataplane/impl.hpp"

namespace hopwise::dataplane {
namespace {

hw_flow_key key_of(const FlowTuple& flow) {
  const bool icmp = flow.protocol == IPPROTO_ICMP || flow.protocol == IPPROTO_ICMPV6;
  hw_flow_key key{};
  std::memcpy(key.source, flow.source.bytes.data(), sizeof(key.source));
  std::memcpy(key.destination, flow.destination.bytes.data(), sizeof(key.destination));
  key.source_port = htons(flow.source_port);
  key.destination_port = htons(icmp ? flow.source_port : flow.destination_port);
  key.family = static_cast<__u8>(flow.destination.family);
  key.protocol = flow.protocol;
  return key;
}

bool is_stateful(const hw_group& group, std::uint32_t hash, const hw_settings& settings) {
  return group.affinity != HW_AFFINITY_BUCKET ||
         hw_in_share(hash, HW_SAMPLE_BITS, settings.sample_share);
}

// The program's time of the next packet is now, or up to a tick before.
bool sticks(const hw_group& group, const hw_flow& flow, std::uint32_t tick_ns, TimePoint now) {
  const TimePoint last(Duration(flow.last_seen_ns));
  return group.affinity == HW_AFFINITY_FLOW ||
         (group.affinity == HW_AFFINITY_FLOWLET &&
          now - last <= std::chrono::milliseconds(group.flowlet_gap_ms) + Duration(tick_ns));
}

// The first rule that fits the flow's packets, counted from 1; 0: none.
std::uint32_t rule_of(const Tables& tables, const hw_flow_key& key, std::uint8_t dscp) {
  const auto rules = tables.class_rules();
  for (std::uint32_t i = 0; i < rules.size(); ++i)
    if (hw_rule_matches(&rules[i], &key, dscp) != 0) return i + 1;
  return 0;
}

// The group that serves the class in this one.
std::uint32_t serving(const Tables& tables, std::uint32_t group, std::uint8_t traffic_class) {
  const std::uint32_t id =
      tables.group_entry(group).class_group[traffic_class & (HW_MAX_CLASSES - 1)];
  return id != 0 && id < HW_MAX_GROUPS && tables.group_entry(id).count != 0 ? id : group;
}

bool is_control(const Tables& tables, std::uint32_t group, std::uint32_t hash,
                const std::optional<hw_flow>& flow, const hw_settings& settings) {
  const hw_group& entry = tables.group_entry(group);
  const bool flagged = flow && (flow->flags & HW_FLOW_CONTROL) != 0;
  if ((entry.flags & HW_GROUP_DRY_RUN) != 0)
    return !flow || flagged || settings.actuator != HW_ACTUATOR_MARK ||
           entry.affinity != HW_AFFINITY_FLOW;
  if (flow && settings.control_share != 0) return flagged;
  return hw_in_share(hash, HW_CONTROL_BITS, settings.control_share) != 0;
}

struct Question {
  const Tables& tables;
  const Group& group;
  Family family;
  std::uint32_t bucket_path;
  std::uint32_t hash;
  std::uint32_t tick_ns;

  [[nodiscard]] bool usable(std::uint32_t path) const {
    return tables.path_usable(raw(group.id), path, family);
  }
};

// The path that keeps the flow on its nexthop; 0 for none.
std::uint32_t stay(const Question& ask, const hw_flow& flow) {
  if (ask.usable(flow.path) && ask.tables.nexthop_of(flow.path) == flow.nexthop) return flow.path;
  for (const Path& path : ask.group.paths)
    if (raw(path.nexthop) == flow.nexthop) return ask.usable(raw(path.id)) ? raw(path.id) : 0;
  return 0;
}

// The path that the programs would take; 0 for none.
std::uint32_t choose(const Question& ask, const std::optional<hw_flow>& flow, TimePoint now) {
  if (flow) {
    const bool keeps = sticks(ask.tables.group_entry(raw(ask.group.id)), *flow, ask.tick_ns, now) ||
                       (flow->shunned != 0 && ask.bucket_path < HW_MAX_PATHS &&
                        flow->shunned == ask.tables.nexthop_of(ask.bucket_path));
    if (const std::uint32_t path = keeps ? stay(ask, *flow) : 0; path != 0) return path;
  }
  if (ask.usable(ask.bucket_path)) return ask.bucket_path;
  std::uint32_t best = 0, best_rank = 0;
  for (const Path& path : ask.group.paths) {
    const std::uint32_t rank = hw_rendezvous_rank(ask.hash, raw(path.nexthop));
    if (rank < best_rank || !ask.usable(raw(path.id))) continue;
    best = raw(path.id);
    best_rank = rank;
  }
  return best;
}

bool recent(const hw_flow& flow, TimePoint now) {
  return now - TimePoint(Duration(flow.last_seen_ns)) <= Duration(HW_HOLD_NS);
}

// Where marks bind it to its nexthop, which is not usable. The next packet is no SYN.
bool is_held(const Question& ask, const hw_flow& flow, std::uint8_t protocol, TimePoint now) {
  return ask.tables.group_entry(raw(ask.group.id)).affinity == HW_AFFINITY_FLOW &&
         stay(ask, flow) == 0 && (protocol == IPPROTO_TCP || recent(flow, now));
}

// Nothing: the kernel decides.
std::optional<NexthopId> held_on(const Question& ask, const hw_flow& flow, TimePoint now) {
  for (const Path& path : ask.group.paths)
    if (raw(path.nexthop) == flow.nexthop && recent(flow, now)) return path.nexthop;
  return std::nullopt;
}

}  // namespace

FlowPlacement Dataplane::place(const FlowTuple& tuple, TimePoint now) const {
  const Tables& tables = impl_->tables;
  const hw_settings settings = settings_of(impl_->options);
  FlowPlacement placement;
  const auto match = impl_->routes.find(tuple.destination);
  if (!match) return placement;
  placement.route = match->prefix;
  if (match->group == HW_ROUTE_KERNEL) return placement;
  const hw_flow_key key = key_of(tuple);
  std::uint32_t group_id = match->group;
  placement.class_rule = rule_of(tables, key, tuple.dscp);
  if (placement.class_rule != 0) {
    placement.traffic_class = tables.class_rules()[placement.class_rule - 1].traffic_class;
    group_id = serving(tables, group_id, placement.traffic_class);
  }
  placement.group = GroupId{group_id};
  placement.dry_run = (tables.group_entry(group_id).flags & HW_GROUP_DRY_RUN) != 0;

  const std::uint32_t hash = hw_flow_hash(&key, tables.router().hash_seed);
  placement.bucket = hash & (HW_BUCKETS - 1);
  const std::uint32_t bucket_path = tables.buckets(group_id)[placement.bucket].path;
  if (bucket_path != 0) placement.bucket_nexthop = NexthopId{tables.nexthop_of(bucket_path)};

  std::optional<hw_flow> flow;
  if (is_stateful(tables.group_entry(group_id), hash, settings)) flow = tables.flow(key);
  if (flow) {
    if (flow->nexthop != 0) placement.flow_nexthop = NexthopId{flow->nexthop};
    placement.flow_packets = flow->packets;
    placement.flow_bytes = flow->bytes;
    placement.record = record_of(key, *flow, placement.group, now);
  }
  const TimePoint expires = lease_expires();
  const bool trusted = now < expires || (settings.hold != 0 && expires != TimePoint());
  const bool control = is_control(tables, group_id, hash, flow, settings);
  const Group* group = impl_->weights.find(*placement.group);
  if (group == nullptr || !trusted || control) return placement;
  const Question ask{tables, *group, tuple.destination.family, bucket_path, hash, settings.tick_ns};
  if (flow && settings.actuator == HW_ACTUATOR_MARK && is_held(ask, *flow, tuple.protocol, now))
    placement.nexthop = held_on(ask, *flow, now);
  else if (const std::uint32_t path = choose(ask, flow, now); path != 0)
    placement.nexthop = NexthopId{tables.nexthop_of(path)};
  return placement;
}

}  // namespace hopwise::dataplane
