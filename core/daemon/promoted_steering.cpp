// The part of Steering that gives single destinations groups of their own. They stand in the data
// plane as longer routes, over the nexthops of the route that routing has for them, and live by
// that route alone: promoted_routes.hpp says how.
#include <algorithm>

#include "core/daemon/steering.hpp"

namespace hopwise {
namespace {

// Of the ids: an eighth is kept for what routing may bring.
std::ptrdiff_t beyond_reserve(std::size_t left, std::uint32_t limit) {
  return static_cast<std::ptrdiff_t>(left) - static_cast<std::ptrdiff_t>(limit / 8);
}

}  // namespace

std::optional<Steering::Base> Steering::base_of(const Prefix& prefix) const {
  const auto match = parts_.dataplane.route_covering(prefix);
  if (!match || !match->group) return std::nullopt;
  const auto* entry = promoted_.find(match->route);
  if (entry == nullptr) return Base{match->route, *match->group};
  const auto known = group_of_route(entry->route);
  if (!known || *known == GroupId{}) return std::nullopt;
  return Base{entry->route, *known};
}

Result<> Steering::promote(const Prefix& prefix) {
  const auto base = base_of(prefix);
  if (!base || promoted_.find(prefix) != nullptr || !config_.route_filter.accepts(prefix))
    return Error{"promote " + prefix.text() + ": its route is not steered"};
  const auto group = acquire(groups_.set_of(base->group), {.destination = prefix}, base->group);
  if (!group) return group.error();
  promoted_.set(prefix, {base->route, *group});
  note(parts_.dataplane.set_route(prefix, *group));
  return {};
}

void Steering::demote(const Prefix& prefix) {
  if (promoted_.find(prefix) != nullptr) end_promotions({prefix});
}

void Steering::end_promotions(const std::vector<Prefix>& prefixes) {
  for (const Prefix& prefix : prefixes) {
    const GroupId group = promoted_.find(prefix)->group;
    const auto own = group_of_route(prefix);
    if (own)
      note(parts_.dataplane.set_route(prefix, *own == GroupId{} ? std::nullopt : own));
    else
      note(parts_.dataplane.remove_route(prefix));
    promoted_.erase(prefix);
    release(group);
    parts_.log.debug("destination_ended", {{"prefix", prefix.text()}});
  }
}

// The filter may leave to the kernel what it did not when they were promoted.
void Steering::end_filtered_promotions() {
  std::vector<Prefix> filtered;
  for (const auto& [prefix, entry] : promoted_.all())
    if (!config_.route_filter.accepts(prefix)) filtered.push_back(prefix);
  end_promotions(filtered);
}

// The route's nexthops may be others now: those of its destinations follow.
void Steering::follow_route(const Prefix& route, GroupId base) {
  for (const Prefix& prefix : promoted_.below(route)) {
    const GroupId before = promoted_.find(prefix)->group;
    if (groups_.set_of(before) == groups_.set_of(base)) continue;
    const auto after = acquire(groups_.set_of(base), {.destination = prefix}, base);
    if (!after) {
      end_promotions({prefix});
      continue;
    }
    note(parts_.dataplane.set_route(prefix, *after));
    promoted_.set(prefix, {route, *after});
    release(before);
  }
}

std::ptrdiff_t Steering::room() const {
  const Limits limits = dataplane::Dataplane::limits();
  const auto left = groups_.left();
  return std::min(
      beyond_reserve(left.groups, limits.groups),
      beyond_reserve(left.paths, limits.paths) / static_cast<std::ptrdiff_t>(limits.group_paths));
}

}  // namespace hopwise
