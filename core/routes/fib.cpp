// A row's routes are copied out, changed and put back: most have one, which costs nothing, and who
// holds which way of forwarding is counted in one place. In which order the kernel has several is
// told in fib_order.cpp.
#include "core/routes/fib.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <utility>

namespace hopwise::routes {
namespace {

struct Apply {
  Forwardings& forwardings;
  bool operator()(const RouteMessage&) const { return false; }
  bool operator()(const AddressGone&) const { return false; }
  template <class Other>
  bool operator()(const Other& other) const {
    return forwardings.apply(other);
  }
};

}  // namespace

Fib::Fib(std::uint32_t table, std::vector<std::uint8_t> protocols)
    : table_(table), protocols_(std::move(protocols)) {}

Fib::Meaning Fib::apply(const Message& message) {
  if (const auto* route = std::get_if<RouteMessage>(&message)) {
    if (!follows(*route)) return Meaning::clear;
    if (dumping_) recent_.push_back(*route);
    const bool removal = route->gone && !route->prefix.address.is_v4();
    if (removal && (dumping_ || left_to_sweep_ > 0)) disturbed_ = true;
    return apply_route(*route);
  }
  if (std::holds_alternative<AddressGone>(message)) return Meaning::ambiguous;
  if (dumping_) recent_others_.push_back(message);
  return std::visit(Apply{forwardings_}, message) ? Meaning::ambiguous : Meaning::clear;
}

bool Fib::follows(const RouteMessage& route) const {
  return route.table == RT_TABLE_LOCAL || route.table == table_;
}

Fib::Meaning Fib::apply_route(const RouteMessage& route) {
  if (route.gone && rows_.find(route.prefix) == nullptr) return Meaning::ambiguous;
  Row& row = rows_[route.prefix];
  Entries entries = entries_of(row);
  const Meaning meaning = take_in(entries, route);
  store(row, entries);
  touch(route.prefix, row);
  forwardings_.sweep();
  return meaning;
}

// Local ones are for the router itself, whatever their type; among those of router advertisements
// the kernel chooses by reachability.
Fib::Entry Fib::entry_of(const RouteMessage& route) {
  const bool local = route.table == RT_TABLE_LOCAL;
  const bool wanted = protocols_.empty() || std::find(protocols_.begin(), protocols_.end(),
                                                      route.protocol) != protocols_.end();
  Entry entry;
  if (local || route.protocol == RTPROT_RA || !wanted) {
    Hops hops = route.hops;
    hops.unicast = false;
    entry.forwarding = forwardings_.intern(hops);
  } else {
    entry.forwarding = forwardings_.intern(route.hops);
  }
  entry.metric = route.metric;
  entry.tos = route.tos;
  entry.local = local;
  entry.source_specific = route.source_specific;
  entry.seen = generation_;
  return entry;
}

// --- rows ---------------------------------------------------------------------------------------

Fib::Entries Fib::entries_of(const Row& row) const {
  if (row.holds == Holds::one) return Entries(1, row.entry());
  if (row.holds == Holds::several) return several_[row.forwarding];
  return {};
}

void Fib::store(Row& row, const Entries& entries) {
  for (const Entry& entry : entries) forwardings_.hold(entry.forwarding);
  for (const Entry& entry : entries_of(row)) forwardings_.release(entry.forwarding);
  const bool had_place = row.holds == Holds::several;
  const std::uint32_t place = row.forwarding;
  if (entries.size() <= 1) {
    if (had_place) {
      several_[place] = {};
      free_several_.push_back(place);
    }
    row.holds = entries.empty() ? Holds::nothing : Holds::one;
    row.set(entries.empty() ? Entry{} : entries.front());
    return;
  }
  row.holds = Holds::several;
  if (!had_place) {
    row.set({});
    if (free_several_.empty()) {
      row.forwarding = static_cast<std::uint32_t>(several_.size());
      several_.emplace_back();
    } else {
      row.forwarding = free_several_.back();
      free_several_.pop_back();
    }
  }
  several_[row.forwarding] = entries;
}

Forwardings::SetId Fib::best(const Row& row, Family family) const {
  if (row.holds == Holds::nothing) return SetId::none;
  const bool alone = row.holds == Holds::one;
  const Entry only = row.entry();
  const Entry* begin = alone ? &only : several_[row.forwarding].data();
  const Entry* end = begin + (alone ? 1 : several_[row.forwarding].size());
  const bool conditional = std::any_of(
      begin, end, [](const Entry& entry) { return entry.tos != 0 || entry.source_specific; });
  if (conditional) return SetId::kernel;
  // Pass over routes of which nothing is alive.
  const Entry* best = std::find_if(begin, end, [this](const Entry& entry) {
    return forwardings_.set(entry.forwarding) != SetId::none;
  });
  if (best == end) return SetId::kernel;
  const Entry* next = std::next(best);
  const bool tied = family == Family::v6 && next != end && next->same_rank(*best);
  return tied ? SetId::kernel : forwardings_.set(best->forwarding);
}

NexthopSet Fib::best(const Prefix& prefix) const {
  const Row* row = rows_.find(prefix);
  if (row == nullptr) return nullptr;
  return forwardings_.nexthops(best(*row, prefix.address.family));
}

NexthopSet Fib::told(const Prefix& prefix) const {
  const Row* row = rows_.find(prefix);
  return row == nullptr ? nullptr : forwardings_.nexthops(row->told);
}

void Fib::each_told(const Tell& visit) const {
  rows_.each([&](const Prefix& prefix, const Row& row) {
    if (row.told != SetId::none) visit(prefix, forwardings_.nexthops(row.told));
  });
}

// --- what a BGP next hop means --------------------------------------------------------------

std::optional<std::uint32_t> Fib::on_link_interface(const IpAddress& nexthop) const {
  for (int length = nexthop.bits(); length >= 0; --length) {
    const Row* row = rows_.find(Prefix::covering(nexthop, length));
    if (row == nullptr || row->holds == Holds::nothing) continue;
    const Entries entries = entries_of(*row);
    const Hops& hops = forwardings_.hops(entries.front().forwarding);
    if (entries.front().local || !hops.unicast || hops.legs.size() != 1 || hops.legs[0].gateway)
      return std::nullopt;
    const auto interface = interfaces().find(hops.legs[0].ifindex);
    if (interface == interfaces().end() || !interface->second.ethernet) return std::nullopt;
    return interface->first;
  }
  return std::nullopt;
}

// An address that every link has does not tell the link; who is known by it does.
std::optional<NexthopKey> Fib::on_link(const IpAddress& nexthop,
                                       const std::optional<IpAddress>& link_local) const {
  const Row* own = rows_.find(Prefix::covering(nexthop, nexthop.bits()));
  if (own != nullptr && own->holds != Holds::nothing && entries_of(*own).front().local)
    return std::nullopt;
  const bool everywhere = nexthop.is_link_local() && !nexthop.is_v4();
  const auto link = everywhere ? forwardings_.link_of(nexthop) : on_link_interface(nexthop);
  if (!link) return std::nullopt;
  const NexthopKey by_address{*link, nexthop};
  const NexthopKey by_link_local{*link, link_local.value_or(nexthop)};
  for (const NexthopKey& key : {by_link_local, by_address})
    if (const auto known = forwardings_.known_as(key)) return known;
  return by_link_local;
}

// --- telling ------------------------------------------------------------------------------------

// What a set means may still be settled anew: then all are walked over anyway.
void Fib::touch(const Prefix& prefix, const Row& row) {
  if (best(row, prefix.address.family) != row.told || row.holds == Holds::nothing)
    touched_.push_back(prefix);
}

void Fib::settle() {
  if (forwardings_.settle()) left_to_walk_ = PrefixTable<Row>::kShards;
}

// False where nothing has changed.
bool Fib::tell_one(const Prefix& prefix, Row& row, const Tell& tell) {
  const SetId now = best(row, prefix.address.family);
  if (now == row.told) return false;
  forwardings_.hold(now);
  forwardings_.release(std::exchange(row.told, now));
  // By value: who is told may make us settle.
  const NexthopSet set = forwardings_.nexthops(now);
  tell(prefix, set);
  return true;
}

void Fib::tell_touched(const Tell& tell) {
  settle();
  for (const Prefix& prefix : std::exchange(touched_, {})) {
    Row* row = rows_.find(prefix);
    if (row == nullptr) continue;
    tell_one(prefix, *row, tell);
    row = rows_.find(prefix);
    if (row != nullptr && row->holds == Holds::nothing && row->told == SetId::none)
      rows_.erase(prefix);
  }
}

void Fib::walk(const Tell& tell) {
  settle();
  if (left_to_walk_ == 0) return;
  const bool sweeping = left_to_sweep_ > 0, retelling = left_to_retell_ > 0;
  rows_.sweep(cursor_, [&](const Prefix& prefix, Row& row) {
    if (sweeping) drop_unseen(prefix, row);
    const bool told = tell_one(prefix, row, tell);
    if (retelling && !told && row.told != SetId::none)
      tell(prefix, NexthopSet(forwardings_.nexthops(row.told)));
    return row.holds != Holds::nothing || row.told != SetId::none;
  });
  cursor_ = (cursor_ + 1) % PrefixTable<Row>::kShards;
  --left_to_walk_;
  if (sweeping) --left_to_sweep_;
  if (retelling) --left_to_retell_;
}

void Fib::drop_unseen(const Prefix& prefix, Row& row) {
  const bool doubtful = disturbed_ && !prefix.address.is_v4();
  const auto age = [this](std::uint8_t g) { return static_cast<std::uint8_t>(generation_ - g); };
  const std::uint8_t most = doubtful ? age(complete_before_) : 0;
  const auto unseen = [&](const Entry& entry) { return age(entry.seen) > most; };
  if (row.holds == Holds::nothing) return;
  if (row.holds == Holds::one && !unseen(row.entry())) return;
  Entries entries = entries_of(row);
  entries.erase(std::remove_if(entries.begin(), entries.end(), unseen), entries.end());
  store(row, entries);
}

}  // namespace hopwise::routes
