#include "core/daemon/promoted_routes.hpp"

#include <algorithm>

namespace hopwise {
namespace {

constexpr int kLength4 = 24, kLength6 = 48;

}  // namespace

const PromotedRoutes::Entry* PromotedRoutes::find(const Prefix& prefix) const {
  const auto found = entries_.find(prefix);
  return found == entries_.end() ? nullptr : &found->second;
}

template <class Wanted>
std::vector<Prefix> PromotedRoutes::within(const Prefix& route, const Wanted& wanted) const {
  std::vector<Prefix> found;
  for (auto at = entries_.lower_bound(route); at != entries_.end() && route.contains(at->first);
       ++at)
    if (wanted(at->second)) found.push_back(at->first);
  return found;
}

std::vector<Prefix> PromotedRoutes::below(const Prefix& route) const {
  return within(route, [&](const Entry& entry) { return entry.route == route; });
}

std::vector<Prefix> PromotedRoutes::taken_by(const Prefix& route) const {
  return within(route, [&](const Entry& entry) { return entry.route.length < route.length; });
}

Prefix destination_prefix(const IpAddress& destination, const Prefix& route) {
  const int length = destination.is_v4() ? kLength4 : kLength6;
  return Prefix::covering(destination, std::max(length, int{route.length}));
}

}  // namespace hopwise
