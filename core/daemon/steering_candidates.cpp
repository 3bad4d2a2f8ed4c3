// What Steering knows of candidates, the paths of weight 0: they take no group that routing may
// need, and may be withheld from carrying, wherever they came from.
#include <algorithm>

#include "core/daemon/steering.hpp"
#include "core/daemon/terms.hpp"

namespace hopwise {
namespace {

bool is_candidate(const routes::WeightedNexthop& hop) {
  return hop.weight == 0;
}

IpAddress last_of(const Prefix& prefix) {
  IpAddress last = prefix.address;
  for (std::size_t i = prefix.length / 8U, bits = prefix.length % 8U; i < last.size();
       ++i, bits = 0)
    last.bytes[i] |= static_cast<std::uint8_t>(0xffU >> bits);
  return last;
}

}  // namespace

std::vector<routes::WeightedNexthop> Steering::set_of(const Prefix& prefix) const {
  if (const auto known = group_of_route(prefix)) return groups_.set_of(*known);
  const auto group = parts_.dataplane.group_towards(prefix.address);
  if (!group || group != parts_.dataplane.group_towards(last_of(prefix))) return {};
  return groups_.set_of(*group);
}

// Without its candidates where a group for them would take what is kept for routing's own sets.
Result<GroupId> Steering::acquire_route(const std::vector<routes::WeightedNexthop>& set,
                                        GroupId before) {
  const bool with = std::any_of(set.begin(), set.end(), is_candidate);
  const bool known = groups_.knows(set);
  const bool roomy =
      room() > 0 && groups_.left().nexthops > dataplane::Dataplane::limits().nexthops / 8;
  if (!with || known || roomy) {
    auto id = acquire(set, {}, known ? std::nullopt : plain_of(before, set));
    if (id || !with) return id;
  }
  std::vector<routes::WeightedNexthop> plain = set;
  std::erase_if(plain, is_candidate);
  if (plain_routes_++ == 0)
    parts_.log.warn("candidates_left_out",
                    {{"because", "the groups that are left are kept for routing's own sets"}});
  if (plain.size() < 2)
    return Error{"add a group: the ids that are left are kept for routing's own sets"};
  return acquire(plain, {});
}

// A route that gains or loses candidates moves to another group: it begins as the former was, where
// that has the same paths of routing's own and none of the candidates carries.
std::optional<GroupId> Steering::plain_of(GroupId before,
                                          const std::vector<routes::WeightedNexthop>& set) const {
  if (before == GroupId{}) return std::nullopt;
  const auto own = [](std::vector<routes::WeightedNexthop> all) {
    std::erase_if(all, is_candidate);
    return all;
  };
  return own(groups_.set_of(before)) == own(set) ? std::optional(before) : std::nullopt;
}

void Steering::withhold(const std::set<NexthopKey>& candidates) {
  for (const Group* group : groups_.introduced()) {
    std::vector<NexthopId> held;
    for (const Path& path : group->paths)
      if (const auto key = groups_.nexthop(path.nexthop);
          path.kernel_weight == 0 && key && candidates.contains(*key))
        held.push_back(path.nexthop);
    if (held.empty()) continue;
    auto& withheld = withheld_[group->id];
    withheld.insert(held.begin(), held.end());
    settle_terms(*group);
  }
}

void Steering::release_withheld() {
  for (const auto& [id, nexthops] : std::exchange(withheld_, {}))
    if (const Group* group = groups_.find(id)) settle_terms(*group);
}

std::vector<NexthopId> Steering::withheld_of(GroupId id) const {
  const auto found = withheld_.find(id);
  if (found == withheld_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace hopwise
