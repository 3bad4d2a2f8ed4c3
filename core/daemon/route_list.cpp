#include "core/daemon/route_list.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

namespace hopwise {
namespace {

using Match = dataplane::Dataplane::Match;

// Of one page. To look at a steered route costs some 50 ns, at one that is left to the kernel, for
// which the follower is asked, some 500.
constexpr int kWork = 20'000;
constexpr int kKernelsWork = 10;

/// The last address of a prefix.
IpAddress last_of(const Prefix& prefix) {
  IpAddress last = prefix.address;
  for (int bit = prefix.length; bit < last.bits(); ++bit)
    last.bytes[static_cast<std::size_t>(bit / 8)] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  return last;
}

class RouteList {
 public:
  RouteList(const RouteListParts& parts, const RouteQuery& query) : parts_(parts), query_(query) {
    for (const auto& [id, record] : parts.steering.nexthops())
      names_.emplace(record.nexthop.key, record.nexthop.name);
  }

  Result<RoutePage> page();

 private:
  Result<> choose_groups();
  [[nodiscard]] std::optional<Match> single() const;
  void walk();
  [[nodiscard]] bool has_ended(const Match& match) const;
  void take(const Match& match);
  [[nodiscard]] RouteEntry left_to_kernel(const Prefix& prefix, bool& asked_for) const;
  [[nodiscard]] RouteNexthop named(const routes::WeightedNexthop& nexthop) const;
  void tell_group(GroupId id);

  const RouteListParts& parts_;
  const RouteQuery& query_;
  std::optional<std::set<GroupId>> groups_;  // those that may be shown; empty: all
  std::set<NexthopKey> keys_;                // of the nexthop that is asked for
  std::unordered_map<NexthopKey, std::string> names_;
  RoutePage page_;
  int work_ = 0;
};

// The groups that are asked for: by number, and those that have the nexthop.
Result<> RouteList::choose_groups() {
  if (query_.group) {
    if (parts_.steering.group(*query_.group) == nullptr)
      return Error{"no group " + std::to_string(raw(*query_.group)) +
                   " (`hopwise status` lists them)"};
    groups_ = std::set{*query_.group};
  }
  if (query_.nexthop.empty()) return {};
  std::set<NexthopId> meant;
  std::string all;
  for (const auto& [id, record] : parts_.steering.nexthops()) {
    const Nexthop& nexthop = record.nexthop;
    all.append(all.empty() ? "" : ", ").append(nexthop.name);
    if (nexthop.name != query_.nexthop && nexthop.key.gateway.text() != query_.nexthop &&
        std::to_string(raw(id)) != query_.nexthop)
      continue;
    meant.insert(id);
    keys_.insert(nexthop.key);
  }
  if (meant.empty()) return Error{"no nexthop \"" + query_.nexthop + "\" (there are: " + all + ")"};
  std::set<GroupId> having;
  for (const Group* group : parts_.steering.groups())
    if ((!groups_ || groups_->contains(group->id)) &&
        std::ranges::any_of(group->paths,
                            [&](const Path& path) { return meant.contains(path.nexthop); }))
      having.insert(group->id);
  groups_ = std::move(having);
  return {};
}

RouteNexthop RouteList::named(const routes::WeightedNexthop& nexthop) const {
  if (const auto known = names_.find(nexthop.key); known != names_.end())
    return {known->second, nexthop.weight};
  const auto& interfaces = parts_.follower.interfaces();
  const auto interface = interfaces.find(nexthop.key.ifindex);
  const std::string on =
      interface == interfaces.end() ? std::to_string(nexthop.key.ifindex) : interface->second.name;
  return {nexthop.key.gateway.text() + '@' + on, nexthop.weight};
}

// `asked_for`: by the nexthop alone, where one is asked for.
RouteEntry RouteList::left_to_kernel(const Prefix& prefix, bool& asked_for) const {
  RouteEntry entry{.prefix = prefix, .because = RouteBecause::own};
  const auto route = parts_.follower.find(prefix);
  asked_for = keys_.empty();
  if (!route || route->nexthops().empty()) return entry;
  const auto& nexthops = route->nexthops();
  for (const auto& nexthop : nexthops) {
    entry.nexthops.push_back(named(nexthop));
    asked_for |= keys_.contains(nexthop.key);
  }
  entry.because = !parts_.steering.forwards(prefix.address.family) ? RouteBecause::forwarding
                  : !parts_.config.route_filter.accepts(prefix)    ? RouteBecause::filtered
                  : nexthops.size() == 1                           ? RouteBecause::single
                  : nexthops.size() > dataplane::Dataplane::limits().group_paths
                      ? RouteBecause::too_large
                      : RouteBecause::no_ids;
  return entry;
}

void RouteList::tell_group(GroupId id) {
  const auto [told, added] = page_.groups.try_emplace(id);
  const Group* group = parts_.steering.group(id);
  if (!added || group == nullptr) return;
  const auto& nexthops = parts_.steering.nexthops();
  for (const Path& path : group->paths)
    if (const auto found = nexthops.find(path.nexthop); found != nexthops.end())
      told->second.push_back({found->second.nexthop.name, path.kernel_weight});
}

// Counts it and shows it, where it fits what is asked for.
void RouteList::take(const Match& match) {
  ++work_;
  if (match.group ? query_.shown == RoutesShown::left_to_kernel
                  : query_.shown == RoutesShown::steered)
    return;
  RouteEntry entry{.prefix = match.route, .group = match.group};
  if (match.group) {
    if (groups_ && !groups_->contains(*match.group)) return;
  } else {
    if (query_.group) return;
    if (!query_.count_only || !keys_.empty()) {
      work_ += kKernelsWork;
      bool asked_for = false;
      entry = left_to_kernel(match.route, asked_for);
      if (!asked_for) return;
    }
  }
  ++page_.counted;
  if (query_.count_only) return;
  if (match.group) tell_group(*match.group);
  if (const auto* promoted = parts_.steering.promoted().find(match.route))
    entry.promoted_below = promoted->route;
  page_.routes.push_back(std::move(entry));
}

// One route alone is asked for.
std::optional<Match> RouteList::single() const {
  if (query_.match)
    return parts_.dataplane.route_covering(Prefix::covering(*query_.match, query_.match->bits()));
  const auto found = parts_.dataplane.route_covering(*query_.exact);
  return found && found->route == *query_.exact ? found : std::nullopt;
}

bool RouteList::has_ended(const Match& match) const {
  const IpAddress& address = match.route.address;
  return (query_.family == Family::v4 && !address.is_v4()) ||
         (query_.within && address > last_of(*query_.within));
}

void RouteList::walk() {
  std::optional<Prefix> after = query_.after;
  // What is just before the first that is asked for: routes to it are passed over below.
  if (query_.family == Family::v6 && (!after || after->address.is_v4()))
    after = Prefix{IpAddress{Family::v4, {255, 255, 255, 255}}, 32};
  bool first = false;  // the prefix within which all lies may be a route itself
  if (query_.within && (!after || *after < *query_.within)) {
    after = query_.within;
    first = true;
  }
  if (first)
    if (const auto found = parts_.dataplane.route_covering(*after); found && found->route == *after)
      take(*found);
  std::optional<Prefix> looked_at = after;
  parts_.dataplane.walk_routes(after, [&](const Match& match) {
    if (has_ended(match)) return false;
    if (work_ >= kWork || page_.routes.size() >= query_.limit) {
      page_.next = looked_at;
      return false;
    }
    take(match);
    looked_at = match.route;
    return true;
  });
}

Result<RoutePage> RouteList::page() {
  if (const auto chosen = choose_groups(); !chosen) return chosen.error();
  if (query_.match || query_.exact) {
    if (const auto found = single()) take(*found);
  } else {
    walk();
  }
  return std::move(page_);
}

}  // namespace

Result<RoutePage> list_routes(const RouteListParts& parts, const RouteQuery& query) {
  return RouteList(parts, query).page();
}

}  // namespace hopwise
