// What is known of single nexthops, and who is told: data plane, engine, probers.
#include <algorithm>

#include "core/daemon/steering.hpp"
#include "core/daemon/terms.hpp"

namespace hopwise {
namespace {

// As long as nothing renews it, the lease of an earlier daemon is over by then.
constexpr Duration kInheritance = std::chrono::seconds(5);

}  // namespace

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

engine::NexthopTerms Steering::terms_of(const Nexthop& nexthop) const {
  return hopwise::terms_of(configured(nexthop));
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

// Its name, or what the configuration says of it, may be another now.
void Steering::introduce_anew(NexthopRecord& record) {
  record.nexthop.name = name_of(record.nexthop);
  parts_.engine.set_terms(record.nexthop.id, terms_of(record.nexthop));
  aim(record);
  parts_.probes.set_ready(record.nexthop.id, {record.ready(), record.gateway_address});
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
  parts_.engine.set_terms(id, terms_of(record.nexthop));
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
  parts_.dataplane.set_nexthop_held(record.nexthop.id, record.bfd_down);
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
  parts_.engine.observe(
      NexthopEvent{id, clock_(), record.link_up, record.neighbour_resolved, record.bfd_down});
  parts_.probes.set_ready(id, {record.ready(), record.gateway_address});
  parts_.log.info("nexthop_state", {{"nexthop", record.nexthop.name},
                                    {"link", record.link_up ? "up" : "down"},
                                    {"neighbour", record.neighbour_resolved ? "ok" : "unresolved"},
                                    {"bfd", record.bfd_down ? "down" : "ok"}});
}

// It never brings a nexthop back: what the kernel says of it stands beside it.
bool Steering::on_bfd(const std::function<bool(const NexthopRecord&)>& is_down) {
  bool changed = false;
  for (auto& [id, record] : nexthops_) {
    const bool down = is_down(record);
    if (record.bfd_down == down) continue;
    record.bfd_down = down;
    refresh_nexthop(record);
    changed = true;
  }
  return changed;
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

void Steering::settle_pace() {
  for (auto& [id, record] : nexthops_) {
    const bool suspicious = parts_.engine.suspicious(id);
    if (suspicious == record.suspicious) continue;
    record.suspicious = suspicious;
    parts_.probes.set_suspicious(id, record.suspicious);
  }
}

}  // namespace hopwise
