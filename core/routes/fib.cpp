// How the kernel orders routes to one prefix: the local table before the followed one (rules 0 and
// 32766), then the lowest metric, then the place in the list. What it picks by more than that (type
// of service, source prefix, several unlike IPv6 routes of one metric) is left to it.
#include "core/routes/fib.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <tuple>

namespace hopwise::routes {
namespace {

const NexthopSet kLeftToKernel = std::make_shared<const std::vector<WeightedNexthop>>();

bool same(const NexthopSet& a, const NexthopSet& b) {
  return a == b || (a && b && *a == *b);
}

// The same member, whether alive or not.
bool same_leg(const Leg& a, const Leg& b) {
  return a.ifindex == b.ifindex && a.gateway == b.gateway;
}

bool same_hops(const Hops& a, const Hops& b) {
  if (a.unicast != b.unicast || a.nexthop_object != b.nexthop_object || a.own_mtu != b.own_mtu)
    return false;
  // With an object the legs only tell what it held then; it may have lost members in silence.
  return a.nexthop_object != 0 ||
         std::equal(a.legs.begin(), a.legs.end(), b.legs.begin(), b.legs.end(), same_leg);
}

// IPv6 merges gateway routes of one metric into one multipath route, and always tells it whole.
bool merges(const Hops& hops) {
  return hops.unicast && hops.nexthop_object == 0 && !hops.legs.empty() &&
         std::all_of(hops.legs.begin(), hops.legs.end(),
                     [](const Leg& leg) { return leg.gateway.has_value(); });
}

}  // namespace

Fib::Meaning Fib::apply(const Message& message) {
  struct Visitor {
    Fib& fib;
    Meaning operator()(const RouteMessage& m) const { return fib.apply_route(m); }
    Meaning operator()(const NexthopMessage& m) const { return fib.apply_nexthop(m); }
    Meaning operator()(const LinkMessage& m) const { return fib.apply_link(m); }
    Meaning operator()(const NeighbourMessage& m) const { return fib.apply_neighbour(m); }
    Meaning operator()(const AddressGone&) const { return Meaning::ambiguous; }
  };
  return std::visit(Visitor{*this}, message);
}

Fib::Meaning Fib::apply_route(const RouteMessage& route) {
  const bool local = route.table == RT_TABLE_LOCAL;
  if (!local && route.table != table_) return Meaning::clear;
  Hops hops = route.hops;
  // Local ones are for the router itself, whatever their type; among those of router advertisements
  // the kernel chooses by reachability.
  if (local || route.protocol == RTPROT_RA) hops.unicast = false;
  Entry entry{local, route.source_specific, route.tos, route.metric, intern(hops)};
  touched_.push_back(route.prefix);
  const Family family = route.prefix.address.family;
  Entries& entries = routes_[route.prefix];
  Meaning meaning = Meaning::clear;
  if (route.gone)
    meaning = remove(entries, entry, family);
  else if (family == Family::v4)
    meaning = add_v4(entries, std::move(entry), route.place);
  else
    meaning = add_v6(entries, std::move(entry), route.place);
  if (entries.empty()) routes_.erase(route.prefix);
  return meaning;
}

namespace {

// The entries of one rank stand together.
template <class Entries>
auto rank_of(Entries& entries, const typename Entries::value_type& entry) {
  const auto order = [](const auto& a, const auto& b) {
    return std::tuple(!a.local, a.metric, a.tos, a.source_specific) <
           std::tuple(!b.local, b.metric, b.tos, b.source_specific);
  };
  return std::equal_range(entries.begin(), entries.end(), entry, order);
}

}  // namespace

Fib::Meaning Fib::add_v4(Entries& entries, Entry entry, RouteMessage::Place place) {
  const auto [first, last] = rank_of(entries, entry);
  const bool known =
      std::any_of(first, last, [&](const Entry& e) { return e.forwarding == entry.forwarding; });
  const bool alone = last - first <= 1;
  if (place == RouteMessage::Place::instead && first != last)
    *first = std::move(entry);
  else if (known)
    return Meaning::clear;
  else
    entries.insert(place == RouteMessage::Place::first ? first : last, std::move(entry));
  return alone ? Meaning::clear : Meaning::ambiguous;
}

Fib::Meaning Fib::add_v6(Entries& entries, Entry entry, RouteMessage::Place place) {
  const auto [first, last] = rank_of(entries, entry);
  const bool alone = last - first <= 1;
  const Hops& hops = entry.forwarding->hops;
  const auto known = std::find_if(first, last, [&](const Entry& e) {
    return (merges(hops) && merges(e.forwarding->hops)) ||
           (hops.nexthop_object != 0 && same_hops(hops, e.forwarding->hops));
  });
  if (known != last) {
    // Merged ones keep each their own MTU; a message tells that of one of them.
    const bool alike = known->forwarding->hops.own_mtu == hops.own_mtu;
    *known = std::move(entry);
    if (!alike) return Meaning::ambiguous;
  } else if (place == RouteMessage::Place::instead && first != last) {
    *first = std::move(entry);
  } else {
    // The kernel may well hold the same on-link route twice.
    const bool unlike = std::any_of(first, last, [&](const Entry& e) {
      return merges(e.forwarding->hops) || e.forwarding == entry.forwarding;
    });
    entries.insert(last, std::move(entry));
    return unlike ? Meaning::ambiguous : Meaning::clear;
  }
  return alone ? Meaning::clear : Meaning::ambiguous;
}

Fib::Meaning Fib::remove(Entries& entries, const Entry& entry, Family family) {
  const auto [first, last] = rank_of(entries, entry);
  const Hops& gone = entry.forwarding->hops;
  const auto exact = std::find_if(
      first, last, [&](const Entry& e) { return same_hops(e.forwarding->hops, gone); });
  if (exact != last) {
    entries.erase(exact);
    return Meaning::clear;
  }
  if (family == Family::v4) {
    // The only candidate; it has lost legs in silence.
    if (last - first == 1) entries.erase(first);
    return Meaning::ambiguous;
  }
  // IPv6: legs of a multipath route go one by one.
  for (auto e = first; e != last; ++e) {
    Hops rest = e->forwarding->hops;
    const auto left = std::erase_if(rest.legs, [&](const Leg& leg) {
      return std::any_of(gone.legs.begin(), gone.legs.end(),
                         [&](const Leg& g) { return same_leg(g, leg); });
    });
    if (left == 0) continue;
    if (rest.legs.empty())
      entries.erase(e);
    else
      e->forwarding = intern(rest);
    break;
  }
  return Meaning::ambiguous;
}

Fib::Meaning Fib::apply_link(const LinkMessage& link) {
  const Interface& now = link.interface;
  const auto known = interfaces_.find(now.ifindex);
  const bool was_up = known != interfaces_.end() && known->second.up;
  const bool was_enabled = enabled_.erase(now.ifindex) != 0;
  const bool enabled = link.enabled && !link.gone;
  stale_ = true;
  if (enabled) enabled_.insert(now.ifindex);
  if (link.gone)
    interfaces_.erase(now.ifindex);
  else
    interfaces_[now.ifindex] = now;
  // With the link go, in silence, IPv4 routes and members of nexthop groups; and dead legs revive.
  const bool moved = was_up != (now.up && !link.gone) || was_enabled != enabled;
  return moved ? Meaning::ambiguous : Meaning::clear;
}

Fib::Meaning Fib::apply_nexthop(const NexthopMessage& nexthop) {
  stale_ = true;
  if (!nexthop.gone) {
    nexthops_[nexthop.id] = nexthop;
    return Meaning::clear;
  }
  // Routes that use it go with it, some in silence.
  const bool used = in_use(nexthop.id);
  nexthops_.erase(nexthop.id);
  return used ? Meaning::ambiguous : Meaning::clear;
}

bool Fib::in_use(std::uint32_t nexthop) const {
  const auto names_it = [&](const std::shared_ptr<Forwarding>& forwarding) {
    if (forwarding.use_count() == 1 || forwarding->hops.nexthop_object == 0) return false;
    if (forwarding->hops.nexthop_object == nexthop) return true;
    const auto object = nexthops_.find(forwarding->hops.nexthop_object);
    return object != nexthops_.end() &&
           std::any_of(object->second.members.begin(), object->second.members.end(),
                       [&](const auto& member) { return member.id == nexthop; });
  };
  return std::any_of(forwardings_.begin(), forwardings_.end(), names_it);
}

Fib::Meaning Fib::apply_neighbour(const NeighbourMessage& neighbour) {
  if (neighbour.valid)
    neighbours_[neighbour.key] = neighbour.address;
  else
    neighbours_.erase(neighbour.key);
  return Meaning::clear;
}

std::shared_ptr<Fib::Forwarding> Fib::intern(const Hops& hops) {
  if (const auto known = forwardings_.find(hops); known != forwardings_.end()) return *known;
  if (forwardings_.size() >= sweep_at_) {
    std::erase_if(forwardings_, [](const auto& forwarding) { return forwarding.use_count() == 1; });
    sweep_at_ = std::max<std::size_t>(1024, 2 * forwardings_.size());
  }
  return *forwardings_.insert(std::make_shared<Forwarding>(Forwarding{hops, resolve(hops)})).first;
}

// What a set really consists of: of its nexthop object's members when the object is known, for
// the kernel may change an object without a word about the routes that use it.
std::vector<Leg> Fib::legs(const Hops& hops) const {
  const auto object = nexthops_.find(hops.nexthop_object);
  if (hops.nexthop_object == 0 || object == nexthops_.end()) return hops.legs;
  if (object->second.leg) return {*object->second.leg};
  std::vector<Leg> legs;
  for (const NexthopMessage::Member& member : object->second.members) {
    const auto single = nexthops_.find(member.id);
    if (single == nexthops_.end()) continue;  // just gone; the group's own change follows
    legs.push_back(single->second.leg.value_or(Leg{}));
    legs.back().weight = member.weight;
  }
  return legs;
}

// A set with a member that cannot be steered to (on-link, encapsulating, blackhole, not Ethernet)
// is left to the kernel whole: steering among the others would take that member's share away.
// Without its dead legs a set would be another group at each flap, and, with one leg left, the
// kernel's, which by default (ignore_routes_with_linkdown=0) loses the dead legs' share for ever.
NexthopSet Fib::resolve(const Hops& hops) const {
  const std::vector<Leg> members = legs(hops);
  if (!hops.unicast || hops.own_mtu || members.empty()) return kLeftToKernel;
  std::vector<WeightedNexthop> all;
  bool alive = false;
  for (const Leg& leg : members) {
    const auto interface = interfaces_.find(leg.ifindex);
    const bool known = interface != interfaces_.end();
    if (!leg.gateway || (known && !interface->second.ethernet)) return kLeftToKernel;
    if (!known) continue;  // the link was deleted, and the leg with it
    all.push_back({{leg.ifindex, *leg.gateway}, leg.weight});
    alive = alive || (interface->second.up && !leg.dead);
  }
  if (!alive) return nullptr;
  std::sort(all.begin(), all.end());
  std::vector<WeightedNexthop> merged;
  for (const WeightedNexthop& hop : all) {
    if (!merged.empty() && merged.back().key == hop.key)
      merged.back().weight += hop.weight;
    else
      merged.push_back(hop);
  }
  return std::make_shared<const std::vector<WeightedNexthop>>(std::move(merged));
}

void Fib::resolve_anew() {
  stale_ = false;
  bool any = false;
  for (const auto& forwarding : forwardings_) {
    NexthopSet now = resolve(forwarding->hops);
    forwarding->changed = !same(forwarding->reported, now);
    if (forwarding->changed) forwarding->reported = std::move(now);
    any = any || forwarding->changed;
  }
  if (!any) return;
  for (const auto& [prefix, entries] : routes_)
    if (std::any_of(entries.begin(), entries.end(),
                    [](const Entry& entry) { return entry.forwarding->changed; }))
      touched_.push_back(prefix);
}

NexthopSet Fib::best(const Prefix& prefix) const {
  const auto found = routes_.find(prefix);
  if (found == routes_.end()) return nullptr;
  const Entries& entries = found->second;
  const bool conditional = std::any_of(entries.begin(), entries.end(), [](const Entry& entry) {
    return entry.tos != 0 || entry.source_specific;
  });
  if (conditional) return kLeftToKernel;
  // Pass over routes of which nothing is alive.
  const auto best = std::find_if(entries.begin(), entries.end(), [](const Entry& entry) {
    return entry.forwarding->reported != nullptr;
  });
  if (best == entries.end()) return kLeftToKernel;
  const auto next = std::next(best);
  const bool tied = !prefix.address.is_v4() && next != entries.end() && next->same_rank(*best);
  return tied ? kLeftToKernel : best->forwarding->reported;
}

Neighbour Fib::neighbour(const NexthopKey& key) const {
  const auto interface = interfaces_.find(key.ifindex);
  const auto valid = neighbours_.find(key);
  if (interface == interfaces_.end() || !interface->second.up || valid == neighbours_.end())
    return {};
  return {true, valid->second};
}

std::vector<Prefix> Fib::prefixes() const {
  std::vector<Prefix> all;
  all.reserve(routes_.size());
  for (const auto& [prefix, entries] : routes_) all.push_back(prefix);
  return all;
}

std::vector<Prefix> Fib::take_touched() {
  if (stale_) resolve_anew();
  return std::exchange(touched_, {});
}

}  // namespace hopwise::routes
