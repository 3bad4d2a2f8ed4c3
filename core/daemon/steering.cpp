#include "core/daemon/steering.hpp"

#include <algorithm>
#include <set>

#include "core/daemon/host.hpp"

namespace hopwise {
namespace {

// As long as nothing renews it, the lease of an earlier daemon is over by then.
constexpr Duration kInheritance = std::chrono::seconds(5);

}  // namespace

Steering::Steering(const Parts& parts, const config::Config& config, Clock clock)
    : parts_(parts),
      config_(config),
      clock_(std::move(clock)),
      groups_(dataplane::Dataplane::limits()),
      affinities_(parts_.dataplane, parts_.engine),
      inherits_marks_(by_mark()),
      started_(clock_()),
      forwards_v4_(kernel_forwards(Family::v4)),
      forwards_v6_(kernel_forwards(Family::v6)) {
  const auto& left = parts_.dataplane.adopted();
  groups_.adopt(left.nexthops, left.groups, clock_());
}

// --- routes ---------------------------------------------------------------------------------

bool Steering::may_steer(const routes::Route& route) const {
  const bool forwarded = route.prefix.address.is_v4() ? forwards_v4_ : forwards_v6_;
  return forwarded && route.nexthops.size() >= 2 && config_.route_filter.accepts(route.prefix);
}

void Steering::on_route(const routes::Route& route) {
  const auto known = routes_.find(route.prefix);
  const auto before = known == routes_.end() ? std::nullopt : known->second;
  refused_.erase(route.prefix);
  const auto after = may_steer(route) ? join_group(route) : std::nullopt;

  note(parts_.dataplane.set_route(route.prefix, after));
  routes_[route.prefix] = after;
  leave_group(before);
  if (after) ++steered_;
  parts_.log.debug("route", {{"prefix", route.prefix.text()},
                             {"nexthops", std::to_string(route.nexthops.size())},
                             {"group", after ? std::to_string(raw(*after)) : "kernel"}});
}

void Steering::on_withdrawn(const Prefix& prefix) {
  const auto known = routes_.find(prefix);
  if (known == routes_.end()) return;
  note(parts_.dataplane.remove_route(prefix));
  leave_group(known->second);
  routes_.erase(known);
  refused_.erase(prefix);
  parts_.log.debug("route_withdrawn", {{"prefix", prefix.text()}});
}

// The group that this route's nexthops form; nothing where the tables are full: the kernel's route
// serves, and the log says so.
std::optional<GroupId> Steering::join_group(const routes::Route& route) {
  auto acquired = groups_.acquire(route.nexthops);
  if (!acquired) {
    if (refused_.empty())
      parts_.log.warn("route_not_steered",
                      {{"prefix", route.prefix.text()}, {"error", acquired.error().message}});
    refused_.insert(route.prefix);
    return std::nullopt;
  }
  for (const auto& [id, key] : acquired->new_nexthops) add_nexthop(id, key);
  if (acquired->new_group) {
    note(parts_.dataplane.set_group(acquired->group));
    const auto& left = parts_.dataplane.adopted().groups;
    const bool adopted = std::find(left.begin(), left.end(), acquired->group) != left.end();
    parts_.engine.set_group(
        acquired->group, clock_(),
        adopted ? parts_.dataplane.buckets(acquired->group.id) : std::vector<std::uint32_t>{});
    parts_.group_joined(acquired->group, adopted ? Shares::adopted : Shares::recalled);
    settle_affinity(acquired->group);
    roles_changed_ = true;
  }
  return acquired->group.id;
}

void Steering::leave_group(std::optional<GroupId> id) {
  if (!id) return;
  groups_.release(*id, clock_());
  --steered_;
}

void Steering::drop_unknown_routes() {
  note(parts_.dataplane.sweep_routes());
  parts_.probes.end_inheritance();
}

void Steering::reapply_routes() {
  parts_.follower.each([this](const routes::Route& route) { on_route(route); });
}

// Ids were freed: some of those that found none may be served now.
void Steering::retry_refused() {
  for (const Prefix& prefix : std::exchange(refused_, {}))
    if (const auto route = parts_.follower.find(prefix)) on_route(*route);
}

void Steering::expire() {
  settle_marks();
  const auto gone = groups_.expire(clock_());
  for (const GroupId id : gone.groups) {
    parts_.engine.remove_group(id);
    parts_.dataplane.remove_group(id);
    affinities_.forget(id);
  }
  for (const NexthopId id : gone.nexthops) remove_nexthop(id);
  if (!gone.groups.empty() && !refused_.empty()) retry_refused();
  if (refused_.size() != refused_told_) {
    refused_told_ = refused_.size();
    parts_.log.warn("routes_not_steered", {{"count", std::to_string(refused_told_)},
                                           {"because", "no group, path or nexthop id is left"}});
  }

  const bool v4 = kernel_forwards(Family::v4);
  const bool v6 = kernel_forwards(Family::v6);
  if (v4 == forwards_v4_ && v6 == forwards_v6_) return;
  forwards_v4_ = v4;
  forwards_v6_ = v6;
  parts_.log.warn("forwarding_changed", {{"ipv4", v4 ? "on" : "off"}, {"ipv6", v6 ? "on" : "off"}});
  reapply_routes();
}

// --- nexthops -------------------------------------------------------------------------------

const config::NexthopConfig* Steering::configured(const Nexthop& nexthop) const {
  const auto& all = config_.nexthops;
  const auto found = std::find_if(all.begin(), all.end(), [&](const config::NexthopConfig& c) {
    return c.gateway == nexthop.key.gateway &&
           (c.interface.empty() || c.interface == nexthop.interface);
  });
  return found == all.end() ? nullptr : &*found;
}

std::string Steering::name_of(const Nexthop& nexthop) const {
  const auto* named = configured(nexthop);
  if (named != nullptr && !named->name.empty()) return named->name;
  return nexthop.key.gateway.text() + '@' + nexthop.interface;
}

std::optional<std::uint64_t> Steering::capacity_of(const Nexthop& nexthop) const {
  const auto* named = configured(nexthop);
  return named == nullptr ? std::nullopt : named->capacity_bit_s;
}

probes::Target Steering::target_of(const NexthopRecord& record) const {
  return {record.nexthop,
          config::anchors_of(config_, configured(record.nexthop), record.nexthop.key.gateway)};
}

// anchors -> engine, probes
void Steering::aim(const NexthopRecord& record) {
  const probes::Target target = target_of(record);
  std::vector<Anchor> anchors;
  for (const probes::AnchorSpec& spec : target.anchors) anchors.push_back(spec.anchor);
  parts_.engine.set_anchors(record.nexthop.id, anchors);
  parts_.probes.set_target(target);
}

void Steering::add_nexthop(NexthopId id, const NexthopKey& key) {
  const auto& interfaces = parts_.follower.interfaces();
  const auto interface = interfaces.find(key.ifindex);
  NexthopRecord record;
  record.nexthop = {id, key, {}, {}};
  record.nexthop.interface =
      interface == interfaces.end() ? std::to_string(key.ifindex) : interface->second.name;
  record.link_up = interface != interfaces.end() && interface->second.up;
  record.nexthop.name = name_of(record.nexthop);
  nexthops_[id] = record;
  note(parts_.dataplane.set_nexthop(record.nexthop));
  aim(record);
  parts_.nexthop_joined(record.nexthop);
  parts_.log.info("nexthop_added", {{"nexthop", record.nexthop.name},
                                    {"gateway", key.gateway.text()},
                                    {"interface", record.nexthop.interface}});
  parts_.follower.watch(key);  // reports the neighbour's state, now and later
  roles_changed_ = true;
}

void Steering::remove_nexthop(NexthopId id) {
  parts_.dataplane.remove_nexthop(id);
  parts_.engine.remove_nexthop(id);
  const auto found = nexthops_.find(id);
  if (found == nexthops_.end()) return;  // an earlier daemon's, never used by this one
  parts_.probes.remove_target(id);
  parts_.follower.unwatch(found->second.nexthop.key);
  parts_.forget(id);
  parts_.log.info("nexthop_removed", {{"nexthop", found->second.nexthop.name}});
  nexthops_.erase(found);
  roles_changed_ = true;
}

// A mark that leads nowhere carries nothing: the main table would choose another way than the
// flow's. Until all lead again after a start, a nexthop is as usable as it was.
void Steering::refresh_usable(const NexthopRecord& record) {
  if (inherits_marks_ && record.ready()) return;
  parts_.dataplane.set_nexthop_usable(record.nexthop.id,
                                      record.ready() && (!by_mark() || record.mark_leads));
}

std::optional<dataplane::Link> Steering::link_of(const NexthopRecord& record) const {
  const auto& interfaces = parts_.follower.interfaces();
  const auto interface = interfaces.find(record.nexthop.key.ifindex);
  if (!record.ready() || interface == interfaces.end() || !interface->second.ethernet ||
      !interface->second.address || !record.gateway_address)
    return std::nullopt;
  return dataplane::Link{*record.gateway_address, *interface->second.address,
                         interface->second.mtu};
}

void Steering::refresh_link(NexthopRecord& record) {
  const auto link = link_of(record);
  if (link == record.link) return;
  record.link = link;
  parts_.dataplane.set_nexthop_link(record.nexthop.id, link);
}

// Tells everyone what the kernel says of a nexthop: the data path first.
void Steering::refresh_nexthop(NexthopRecord& record) {
  const NexthopId id = record.nexthop.id;
  record.introduced = true;
  if (!record.ready()) record.mark_leads = false;  // until the prober has seen to its table
  refresh_link(record);
  refresh_usable(record);
  parts_.engine.observe(NexthopEvent{id, clock_(), record.link_up, record.neighbour_resolved});
  parts_.probes.set_ready(id, {record.ready(), record.gateway_address});
  parts_.log.info("nexthop_state",
                  {{"nexthop", record.nexthop.name},
                   {"link", record.link_up ? "up" : "down"},
                   {"neighbour", record.neighbour_resolved ? "ok" : "unresolved"}});
}

void Steering::on_neighbour(const NexthopKey& key, const routes::Neighbour& neighbour) {
  for (auto& [id, record] : nexthops_) {
    if (record.nexthop.key != key) continue;
    const bool same = record.introduced && record.neighbour_resolved == neighbour.resolved;
    record.neighbour_resolved = neighbour.resolved;
    record.gateway_address = neighbour.address;
    if (same)
      refresh_link(record);
    else
      refresh_nexthop(record);
  }
}

// When none leads, somebody has removed the rules: then the lease is what stops the traffic, so
// that flows find their nexthops again.
void Steering::on_marks(const std::set<NexthopId>& leading) {
  marks_lead_ = !leading.empty();
  if (!marks_lead_) return;
  for (auto& [id, record] : nexthops_) {
    const bool leads = record.ready() && leading.contains(id);
    if (record.mark_leads == leads) continue;
    record.mark_leads = leads;
    refresh_usable(record);
  }
  settle_marks();
}

// They come one by one: to trust each at once would let the others' flows begin elsewhere. One that
// cannot be had must not keep the rest waiting.
void Steering::settle_marks() {
  if (!inherits_marks_) return;
  const bool all =
      marks_lead_ && std::all_of(nexthops_.begin(), nexthops_.end(), [](const auto& n) {
        return !n.second.ready() || n.second.mark_leads;
      });
  if (!all && clock_() - started_ < kInheritance) return;
  inherits_marks_ = false;
  for (const auto& [id, record] : nexthops_) refresh_usable(record);
}

// --- affinity -------------------------------------------------------------------------------

void Steering::settle_affinity(const Group& group) {
  std::vector<const Nexthop*> nexthops;
  for (const Path& path : group.paths)
    if (const auto found = nexthops_.find(path.nexthop); found != nexthops_.end())
      nexthops.push_back(&found->second.nexthop);
  affinities_.settle(group, affinity_rule(nexthops, config_));
}

void Steering::settle_affinities() {
  for (const Group* group : groups_.used()) settle_affinity(*group);
}

void Steering::settle_pace() {
  for (auto& [id, record] : nexthops_) {
    const bool suspicious = parts_.engine.suspicious(id);
    if (suspicious == record.suspicious) continue;
    record.suspicious = suspicious;
    parts_.probes.set_suspicious(id, record.suspicious);
  }
}

// --- interfaces -----------------------------------------------------------------------------

void Steering::on_interface(const routes::Interface& interface) {
  roles_changed_ = true;
  for (auto& [id, record] : nexthops_) {
    if (record.nexthop.key.ifindex != interface.ifindex) continue;
    if (record.link_up == interface.up) {
      refresh_link(record);  // its address or MTU may have changed
      continue;
    }
    record.link_up = interface.up;
    refresh_nexthop(record);
  }
}

void Steering::on_interface_gone(std::uint32_t ifindex) {
  on_interface({ifindex, {}});
}

// What each interface is to us. Answers are seen where NAT has been undone already: with `mark`, on
// their way out to the LAN.
std::vector<dataplane::Dataplane::Attachment> Steering::roles() {
  using dataplane::Role;
  std::set<std::uint32_t> wan;
  for (const auto& [id, record] : nexthops_) wan.insert(record.nexthop.key.ifindex);
  const auto& named = config_.lan_interfaces;
  std::vector<dataplane::Dataplane::Attachment> wanted;
  std::set<std::string> refused;
  lan_.clear();
  for (const auto& [ifindex, interface] : parts_.follower.interfaces()) {
    const bool is_named = std::find(named.begin(), named.end(), interface.name) != named.end();
    const bool is_wan = wan.contains(ifindex);
    if (is_wan && !by_mark()) wanted.push_back({ifindex, interface.name, Role::wan});
    if (is_wan && !by_mark() && config_.local_traffic)
      wanted.push_back({ifindex, interface.name, Role::local});
    if (is_named && !interface.ethernet) {
      refused.insert(interface.name);
      continue;
    }
    // A named interface is steered even where it is a nexthop's too (a router on a stick).
    if (is_named ||
        (named.empty() && !is_wan && interface.can_be_lan() && forwards_from(interface.name))) {
      wanted.push_back({ifindex, interface.name, Role::lan});
      if (by_mark()) wanted.push_back({ifindex, interface.name, Role::lan_return});
      lan_.push_back(interface.name);
    }
  }
  for (const std::string& name : refused)
    if (!refused_lan_.contains(name))
      parts_.log.error("lan_interface_refused",
                       {{"interface", name},
                        {"because",
                         "it is no Ethernet interface: what comes in by it is left to "
                         "the kernel (remove it from lan_interfaces)"}});
  refused_lan_ = std::move(refused);
  // Without a group there is nothing to steer: leave every interface alone.
  if (wan.empty()) wanted.clear();
  return wanted;
}

void Steering::settle_interfaces() {
  if (!roles_changed_) return;
  roles_changed_ = false;
  const auto wanted = roles();
  std::set<std::string> faults;  // each is told once, and tried again at every recheck
  for (const Error& error : parts_.dataplane.attach(wanted)) faults.insert(error.message);
  for (const std::string& fault : faults)
    if (!attach_faults_.contains(fault)) parts_.log.error("attach_failed", {{"error", fault}});
  attach_faults_ = std::move(faults);
}

void Steering::recheck_interfaces() {
  roles_changed_ = true;
  settle_interfaces();
}

// --- configuration --------------------------------------------------------------------------

void Steering::reconfigure(const config::Config& config) {
  config_ = config;
  for (auto& [id, record] : nexthops_) {
    record.nexthop.name = name_of(record.nexthop);
    aim(record);
    parts_.probes.set_ready(id, {record.ready(), record.gateway_address});
  }
  roles_changed_ = true;
  settle_affinities();
  reapply_routes();
}

void Steering::note(const Result<>& done) {
  if (!done) parts_.log.error("dataplane", {{"error", done.error().message}});
}

}  // namespace hopwise
