// How the kernel orders routes to one prefix: the local table before the followed one (rules 0 and
// 32766), then the lowest metric, then the place in the list. What it picks by more than that (type
// of service, source prefix, several unlike IPv6 routes of one metric) is left to it.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <tuple>

#include "core/routes/fib.hpp"

namespace hopwise::routes {
namespace {

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

Fib::Meaning Fib::take_in(Entries& entries, const RouteMessage& route) {
  const Entry entry = entry_of(route);
  const Family family = route.prefix.address.family;
  if (route.gone) return remove(entries, entry, family);
  return family == Family::v4 ? add_v4(entries, entry, route.place)
                              : add_v6(entries, entry, route.place);
}

// The entries of one rank stand together.
std::pair<Fib::Entries::iterator, Fib::Entries::iterator> Fib::rank_of(Entries& entries,
                                                                       const Entry& entry) const {
  const auto order = [](const Entry& a, const Entry& b) {
    return std::tuple(!a.local, a.metric, a.tos, a.source_specific ? 1 : 0) <
           std::tuple(!b.local, b.metric, b.tos, b.source_specific ? 1 : 0);
  };
  return std::equal_range(entries.begin(), entries.end(), entry, order);
}

Fib::Meaning Fib::add_v4(Entries& entries, const Entry& entry, RouteMessage::Place place) {
  const auto [first, last] = rank_of(entries, entry);
  const auto known =
      std::find_if(first, last, [&](const Entry& e) { return e.forwarding == entry.forwarding; });
  const bool alone = last - first <= 1;
  if (place == RouteMessage::Place::instead && first != last) {
    *first = entry;
  } else if (known != last) {
    known->seen = entry.seen;
    return Meaning::clear;
  } else {
    entries.insert(place == RouteMessage::Place::first ? first : last, entry);
  }
  return alone ? Meaning::clear : Meaning::ambiguous;
}

Fib::Meaning Fib::add_v6(Entries& entries, const Entry& entry, RouteMessage::Place place) {
  const auto [first, last] = rank_of(entries, entry);
  const bool alone = last - first <= 1;
  const Hops& hops = forwardings_.hops(entry.forwarding);
  const auto known = std::find_if(first, last, [&](const Entry& e) {
    const Hops& others = forwardings_.hops(e.forwarding);
    return (merges(hops) && merges(others)) ||
           (hops.nexthop_object != 0 && same_hops(hops, others));
  });
  if (known != last) {
    // Merged ones keep each their own MTU; a message tells that of one of them.
    const bool alike = forwardings_.hops(known->forwarding).own_mtu == hops.own_mtu;
    *known = entry;
    if (!alike) return Meaning::ambiguous;
  } else if (place == RouteMessage::Place::instead && first != last) {
    *first = entry;
  } else {
    // The kernel may well hold the same on-link route twice.
    const bool unlike = std::any_of(first, last, [&](const Entry& e) {
      return merges(forwardings_.hops(e.forwarding)) || e.forwarding == entry.forwarding;
    });
    entries.insert(last, entry);
    return unlike ? Meaning::ambiguous : Meaning::clear;
  }
  return alone ? Meaning::clear : Meaning::ambiguous;
}

Fib::Meaning Fib::remove(Entries& entries, const Entry& entry, Family family) {
  const auto [first, last] = rank_of(entries, entry);
  const Hops& gone = forwardings_.hops(entry.forwarding);
  const auto exact = std::find_if(first, last, [&](const Entry& e) {
    return e.forwarding == entry.forwarding || same_hops(forwardings_.hops(e.forwarding), gone);
  });
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
    Hops rest = forwardings_.hops(e->forwarding);
    const auto left = std::erase_if(rest.legs, [&](const Leg& leg) {
      return std::any_of(gone.legs.begin(), gone.legs.end(),
                         [&](const Leg& g) { return same_leg(g, leg); });
    });
    if (left == 0) continue;
    if (rest.legs.empty())
      entries.erase(e);
    else
      e->forwarding = forwardings_.intern(rest);
    break;
  }
  return Meaning::ambiguous;
}

}  // namespace hopwise::routes
