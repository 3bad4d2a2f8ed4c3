// A set with a member that cannot be steered to (on-link, encapsulating, blackhole, not Ethernet)
// is left to the kernel whole: steering among the others would take that member's share away.
// Without its dead legs a set would be another group at each flap, and, with one leg left, the
// kernel's, which by default (ignore_routes_with_linkdown=0) loses the dead legs' share for ever.
#include "core/routes/forwardings.hpp"

#include <algorithm>

namespace hopwise::routes {

Forwardings::Forwardings() : by_hops_(0, Hash{this}, Same{this}) {
  sets_.resize(2);
  sets_[index(SetId::kernel)] = {shared_.share({}), 1};
  set_ids_[sets_[index(SetId::kernel)].nexthops.get()] = SetId::kernel;
}

std::size_t Forwardings::hash_of(const Hops& hops) {
  constexpr std::size_t kOdd = 0x9e3779b97f4a7c15U;
  std::size_t hash =
      (std::size_t{hops.nexthop_object} * 4U + (hops.unicast ? 2U : 0U)) + (hops.own_mtu ? 1 : 0);
  for (const Leg& leg : hops.legs) {
    hash = (hash ^ leg.ifindex) * kOdd + std::size_t{leg.weight} * 2U + (leg.dead ? 1 : 0);
    if (leg.gateway) hash = (hash ^ (hash >> 29)) * kOdd + std::hash<IpAddress>{}(*leg.gateway);
  }
  return (hash ^ (hash >> 32)) * kOdd;
}

Forwardings::Id Forwardings::intern(const Hops& hops) {
  if (const auto known = by_hops_.find(hops); known != by_hops_.end()) return *known;
  Id id = static_cast<Id>(kept_.size());
  if (free_.empty()) {
    kept_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  kept_[id] = {hops, resolve(hops), 0};
  hold(kept_[id].set);
  by_hops_.insert(id);
  return id;
}

void Forwardings::sweep() {
  if (by_hops_.size() < sweep_at_) return;
  std::vector<Id> unused;
  for (const Id id : by_hops_)
    if (kept_[id].users == 0) unused.push_back(id);
  for (const Id id : unused) {
    by_hops_.erase(id);
    release(kept_[id].set);
    kept_[id] = {};
    free_.push_back(id);
  }
  sweep_at_ = std::max<std::size_t>(1024, 2 * by_hops_.size());
  auto before = std::exchange(gateways_, {});
  for (const Id id : by_hops_)
    for (const Leg& leg : legs(kept_[id].hops))
      if (leg.gateway)
        if (const auto known = before.find({leg.ifindex, *leg.gateway}); known != before.end())
          gateways_.insert(*known);
}

void Forwardings::release(SetId id) {
  Set& set = sets_[index(id)];
  if (--set.users != 0 || id == SetId::none) return;
  set_ids_.erase(set.nexthops.get());
  set.nexthops.reset();
  free_sets_.push_back(id);
}

Forwardings::SetId Forwardings::share(std::vector<WeightedNexthop> set) {
  NexthopSet shared = shared_.share(std::move(set));
  const auto [known, added] = set_ids_.try_emplace(shared.get(), SetId::none);
  if (!added) return known->second;
  if (free_sets_.empty()) {
    known->second = static_cast<SetId>(sets_.size());
    sets_.emplace_back();
  } else {
    known->second = free_sets_.back();
    free_sets_.pop_back();
  }
  sets_[index(known->second)] = {std::move(shared), 0};
  return known->second;
}

// --- what sets depend on ------------------------------------------------------------------------

bool Forwardings::apply(const LinkMessage& message) {
  const Interface& now = message.interface;
  if (message.gone) return remove_link(now.ifindex);
  const auto known = interfaces_.find(now.ifindex);
  Link& link = links_[now.ifindex];
  const bool was_up = known != interfaces_.end() && known->second.up;
  // With the link go, in silence, IPv4 routes and members of nexthop groups; and dead legs revive.
  const bool moved = was_up != now.up || link.enabled != message.enabled;
  if (known == interfaces_.end() || known->second.up != now.up ||
      known->second.ethernet != now.ethernet)
    stale_ = true;
  link = {message.enabled, generation_};
  interfaces_[now.ifindex] = now;
  return moved;
}

bool Forwardings::remove_link(std::uint32_t ifindex) {
  stale_ = true;
  const auto known = interfaces_.find(ifindex);
  const auto link = links_.find(ifindex);
  const bool was_on = (known != interfaces_.end() && known->second.up) ||
                      (link != links_.end() && link->second.enabled);
  interfaces_.erase(ifindex);
  links_.erase(ifindex);
  return was_on;
}

bool Forwardings::apply(const NexthopMessage& object) {
  if (!object.gone) {
    Object& known = objects_[object.id];
    known.seen = generation_;
    if (known.message == object) return false;
    known.message = object;
    stale_ = true;
    return false;
  }
  stale_ = true;
  // Routes that use it go with it, some in silence.
  const bool used = in_use(object.id);
  objects_.erase(object.id);
  return used;
}

bool Forwardings::in_use(std::uint32_t object) const {
  return std::any_of(by_hops_.begin(), by_hops_.end(), [&](Id id) {
    const Kept& kept = kept_[id];
    if (kept.users == 0 || kept.hops.nexthop_object == 0) return false;
    if (kept.hops.nexthop_object == object) return true;
    const auto group = objects_.find(kept.hops.nexthop_object);
    return group != objects_.end() &&
           std::any_of(group->second.message.members.begin(), group->second.message.members.end(),
                       [&](const auto& member) { return member.id == object; });
  });
}

bool Forwardings::apply(const NeighbourMessage& neighbour) {
  if (!neighbour.valid) {
    neighbours_.erase(neighbour.key);
    return false;
  }
  neighbours_[neighbour.key] = {neighbour.address, generation_};
  const auto gateway = gateways_.find(neighbour.key);
  if (gateway == gateways_.end() || !neighbour.address || gateway->second == neighbour.address)
    return false;
  gateway->second = neighbour.address;
  stale_ = true;
  return false;
}

void Forwardings::sweep_links() {
  std::vector<std::uint32_t> gone;
  for (const auto& [ifindex, link] : links_)
    if (link.seen != generation_) gone.push_back(ifindex);
  for (const std::uint32_t ifindex : gone) remove_link(ifindex);
}

void Forwardings::sweep_objects() {
  const auto unseen = [this](const auto& entry) { return entry.second.seen != generation_; };
  if (boost::unordered::erase_if(objects_, unseen) != 0) stale_ = true;
}

void Forwardings::sweep_neighbours() {
  boost::unordered::erase_if(
      neighbours_, [this](const auto& entry) { return entry.second.seen != generation_; });
}

// --- what sets mean -----------------------------------------------------------------------------

// What a set really consists of: of its nexthop object's members when the object is known, for
// the kernel may change an object without a word about the routes that use it.
std::vector<Leg> Forwardings::legs(const Hops& hops) const {
  if (hops.nexthop_object == 0) return hops.legs;
  const auto object = objects_.find(hops.nexthop_object);
  if (object == objects_.end()) return hops.legs;
  const NexthopMessage& message = object->second.message;
  if (message.leg) return {*message.leg};
  std::vector<Leg> legs;
  for (const NexthopMessage::Member& member : message.members) {
    const auto single = objects_.find(member.id);
    if (single == objects_.end()) continue;  // just gone; the group's own change follows
    legs.push_back(single->second.message.leg.value_or(Leg{}));
    legs.back().weight = member.weight;
  }
  return legs;
}

Forwardings::SetId Forwardings::resolve(const Hops& hops) {
  if (!hops.unicast || hops.own_mtu) return SetId::kernel;
  const std::vector<Leg> members = legs(hops);
  if (members.empty()) return SetId::kernel;
  std::vector<WeightedNexthop> all;
  bool alive = false;
  for (const Leg& leg : members) {
    const auto interface = interfaces_.find(leg.ifindex);
    const bool known = interface != interfaces_.end();
    if (!leg.gateway || (known && !interface->second.ethernet)) return SetId::kernel;
    if (!known) continue;  // the link was deleted, and the leg with it
    all.push_back({{leg.ifindex, *leg.gateway}, leg.weight});
    alive = alive || (interface->second.up && !leg.dead);
  }
  if (!alive) return SetId::none;
  all = canonical(std::move(all));
  join_routers(all);
  return share(std::move(all));
}

// Two gateways on one link with one link-layer address are one router (FRR lists it by its IPv4 and
// by its link-local address): one nexthop, with both weights, known by the lesser address. They are
// told apart by the last address that each had, so that a set changes once, when the second answers
// for the first time, and not again as neighbour entries come and go.
void Forwardings::join_routers(std::vector<WeightedNexthop>& set) {
  std::vector<std::optional<EthernetAddress>> addresses;
  for (const WeightedNexthop& hop : set) {
    auto [gateway, added] = gateways_.try_emplace(hop.key);
    if (added)
      if (const auto valid = neighbours_.find(hop.key); valid != neighbours_.end())
        gateway->second = valid->second.address;
    addresses.push_back(gateway->second);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < set.size(); ++i) {
    std::size_t same = 0;
    while (same < kept && !(addresses[i] && set[same].key.ifindex == set[i].key.ifindex &&
                            addresses[same] == addresses[i]))
      ++same;
    if (same < kept) {
      set[same].weight += set[i].weight;
    } else {
      addresses[kept] = addresses[i];
      set[kept++] = set[i];
    }
  }
  set.resize(kept);
}

bool Forwardings::settle() {
  if (!std::exchange(stale_, false)) return false;
  bool changed = false;
  for (const Id id : by_hops_) {
    const SetId now = resolve(kept_[id].hops);
    if (now == kept_[id].set) continue;
    hold(now);
    release(std::exchange(kept_[id].set, now));
    changed = true;
  }
  return changed;
}

Neighbour Forwardings::neighbour(const NexthopKey& key) const {
  const auto interface = interfaces_.find(key.ifindex);
  const auto valid = neighbours_.find(key);
  if (interface == interfaces_.end() || !interface->second.up || valid == neighbours_.end())
    return {};
  return {true, valid->second.address};
}

std::optional<NexthopKey> Forwardings::known_as(const NexthopKey& key) const {
  const auto itself = gateways_.find(key);
  if (itself != gateways_.end()) return key;
  const auto valid = neighbours_.find(key);
  if (valid == neighbours_.end() || !valid->second.address) return std::nullopt;
  std::optional<NexthopKey> found;
  for (auto at = gateways_.lower_bound({key.ifindex, {}});
       at != gateways_.end() && at->first.ifindex == key.ifindex; ++at) {
    if (at->second != valid->second.address) continue;
    if (at->first.gateway.family == key.gateway.family) return at->first;
    if (!found) found = at->first;
  }
  return found;
}

std::optional<std::uint32_t> Forwardings::link_of(const IpAddress& gateway) const {
  std::optional<std::uint32_t> found;
  const auto consider = [&](const NexthopKey& key) {
    if (key.gateway != gateway || found == key.ifindex) return true;
    if (found) return false;
    found = key.ifindex;
    return true;
  };
  for (const auto& [key, address] : gateways_)
    if (!consider(key)) return std::nullopt;
  for (const auto& [key, valid] : neighbours_)
    if (!consider(key)) return std::nullopt;
  return found;
}

}  // namespace hopwise::routes
