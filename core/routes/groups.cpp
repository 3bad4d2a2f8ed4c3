// Ids are given out in turn, and two indexes (key -> nexthop, set and variant -> group) find what
// is already there. Everything that can refuse is asked before anything is changed. What was left
// by an earlier daemon and cannot be adopted is in neither index, and its grace is over from the
// beginning.
#include "core/routes/groups.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>

namespace hopwise::routes {
namespace {

bool candidates_alone(const std::vector<WeightedNexthop>& set) {
  return std::all_of(set.begin(), set.end(), [](const auto& hop) { return hop.weight == 0; });
}

Error exhausted(std::size_t limit, const std::string& what) {
  return Error{"add a group: all " + std::to_string(limit) + ' ' + what +
               " ids are in use or in their grace period (the route stays with the kernel)"};
}

}  // namespace

bool Groups::Ids::free(std::uint32_t id) const {
  return id >= 1 && id <= taken_.size() && !taken_[id - 1];
}

std::uint32_t Groups::Ids::take() {
  while (taken_[next_ %= taken_.size()]) ++next_;
  const auto id = static_cast<std::uint32_t>(next_ + 1);
  take(id);
  return id;
}

void Groups::Ids::take(std::uint32_t id) {
  if (!free(id)) throw std::logic_error("take id " + std::to_string(id) + ": not free");
  taken_[id - 1] = true;
  ++count_;
  next_ = std::max<std::size_t>(next_, id);
}

void Groups::Ids::give_back(std::uint32_t id) {
  taken_.at(id - 1) = false;
  --count_;
}

Groups::Groups(const Limits& limits, Duration grace)
    : limits_(limits),
      grace_(grace),
      nexthop_ids_(limits.nexthops),
      group_ids_(limits.groups),
      path_ids_(limits.paths) {}

void Groups::adopt(const std::vector<std::pair<NexthopId, NexthopKey>>& nexthops,
                   const std::vector<Group>& groups, TimePoint now) {
  for (const auto& [id, key] : nexthops) {
    if (!nexthop_ids_.free(raw(id))) continue;
    nexthop_ids_.take(raw(id));
    const bool alone = by_key_.emplace(key, id).second;
    nexthops_[id] = Known{.key = key, .adopted = alone ? now : now - grace_};
  }
  std::vector<Group> refused;
  for (const Group& group : groups) {
    const std::optional<Set> set = adoptable(group);
    if (!set) {
      refused.push_back(group);
      continue;
    }
    group_ids_.take(raw(group.id));
    for (const Path& path : group.paths) {
      path_ids_.take(raw(path.id));
      ++nexthops_.at(path.nexthop).groups;
    }
    by_name_[{*set, group.variant}] = group.id;
    groups_[group.id] = Record{.group = group, .set = *set, .unused_since = now};
  }
  for (const Group& group : refused) reserve(group, now - grace_);
}

void Groups::reserve(const Group& group, TimePoint unused_since) {
  if (!group_ids_.free(raw(group.id))) return;
  group_ids_.take(raw(group.id));
  Record& record = groups_[group.id];
  record.group.id = group.id;
  record.unused_since = unused_since;
  for (const Path& path : group.paths) {
    if (!path_ids_.free(raw(path.id))) continue;
    path_ids_.take(raw(path.id));
    record.group.paths.push_back(path);
  }
}

// The set that an earlier daemon's group stands for, when it fits all that is known by now.
std::optional<Groups::Set> Groups::adoptable(const Group& group) const {
  if (!group_ids_.free(raw(group.id)) || group.variant.destination || group.paths.empty() ||
      group.paths.size() > limits_.group_paths)
    return std::nullopt;
  Set set;
  std::set<PathId> paths;
  for (const Path& path : group.paths) {
    const auto known = nexthops_.find(path.nexthop);
    if (known == nexthops_.end() || by_key_.at(known->second.key) != known->first ||
        !path_ids_.free(raw(path.id)) || !paths.insert(path.id).second)
      return std::nullopt;
    set.push_back({known->second.key, path.kernel_weight});
  }
  if (candidates_alone(set) || set != canonical(set) || by_name_.contains({set, group.variant}))
    return std::nullopt;
  return set;
}

Result<Groups::Acquired> Groups::acquire(std::vector<WeightedNexthop> set, const Variant& variant) {
  set = canonical(std::move(set));
  if (const auto known = by_name_.find({set, variant}); known != by_name_.end())
    return introduce(groups_.at(known->second));
  if (auto error = refusal(set)) return *error;
  return introduce(create(std::move(set), variant));
}

std::optional<Error> Groups::refusal(const Set& set) const {
  if (set.empty()) return Error{"add a group: it has no nexthops"};
  if (candidates_alone(set))
    return Error{"add a group: all its nexthops are candidates (the route stays with the kernel)"};
  if (set.size() > limits_.group_paths)
    return Error{"add a group: " + std::to_string(set.size()) + " nexthops, at most " +
                 std::to_string(limits_.group_paths) + " fit (the route stays with the kernel)"};
  const auto strangers = static_cast<std::size_t>(std::count_if(
      set.begin(), set.end(), [this](const auto& hop) { return !by_key_.contains(hop.key); }));
  if (group_ids_.left() < 1) return exhausted(group_ids_.limit(), "group");
  if (nexthop_ids_.left() < strangers) return exhausted(nexthop_ids_.limit(), "nexthop");
  if (path_ids_.left() < set.size()) return exhausted(path_ids_.limit(), "path");
  return std::nullopt;
}

Groups::Record& Groups::create(Set set, const Variant& variant) {
  Record record;
  record.group.id = GroupId{group_ids_.take()};
  record.group.variant = variant;
  for (const WeightedNexthop& hop : set) {
    auto known = by_key_.find(hop.key);
    if (known == by_key_.end()) {
      known = by_key_.emplace(hop.key, NexthopId{nexthop_ids_.take()}).first;
      nexthops_[known->second].key = hop.key;
    }
    ++nexthops_.at(known->second).groups;
    record.group.paths.push_back({PathId{path_ids_.take()}, known->second, hop.weight});
  }
  by_name_[{set, variant}] = record.group.id;
  record.set = std::move(set);
  return groups_[record.group.id] = std::move(record);
}

Groups::Acquired Groups::introduce(Record& record) {
  ++record.users;
  Acquired acquired{record.group, {}, !record.introduced};
  record.introduced = true;
  for (const Path& path : record.group.paths) {
    Known& known = nexthops_.at(path.nexthop);
    if (!known.introduced) acquired.new_nexthops.emplace_back(path.nexthop, known.key);
    known.introduced = true;
  }
  return acquired;
}

bool Groups::join(GroupId id) {
  const auto record = groups_.find(id);
  if (record == groups_.end() || record->second.users == 0) return false;
  ++record->second.users;
  return true;
}

void Groups::release(GroupId id, TimePoint now) {
  const auto record = groups_.find(id);
  if (record == groups_.end() || record->second.users == 0)
    throw std::logic_error("release group " + std::to_string(raw(id)) + ": no route uses it");
  if (--record->second.users == 0) record->second.unused_since = now;
}

Groups::Expired Groups::expire(TimePoint now) {
  Expired expired;
  std::erase_if(groups_, [&](const auto& entry) {
    const auto& [id, record] = entry;
    if (record.users > 0 || now - record.unused_since < grace_) return false;
    for (const Path& path : record.group.paths) {
      path_ids_.give_back(raw(path.id));
      if (record.set.empty()) continue;  // it held no nexthop
      Known& known = nexthops_.at(path.nexthop);
      // The group's grace was the nexthop's too.
      if (--known.groups == 0) known.adopted = now - grace_;
    }
    group_ids_.give_back(raw(id));
    by_name_.erase({record.set, record.group.variant});
    expired.groups.push_back(id);
    return true;
  });
  std::erase_if(nexthops_, [&](const auto& entry) {
    const auto& [id, known] = entry;
    if (known.groups > 0 || now - known.adopted < grace_) return false;
    nexthop_ids_.give_back(raw(id));
    const auto known_as = by_key_.find(known.key);
    if (known_as != by_key_.end() && known_as->second == id) by_key_.erase(known_as);
    expired.nexthops.push_back(id);
    return true;
  });
  return expired;
}

std::vector<WeightedNexthop> Groups::set_of(GroupId id) const {
  const auto record = groups_.find(id);
  return record == groups_.end() ? Set{} : record->second.set;
}

const Group* Groups::find(GroupId id) const {
  const auto record = groups_.find(id);
  return record == groups_.end() ? nullptr : &record->second.group;
}

std::vector<const Group*> Groups::used() const {
  std::vector<const Group*> found;
  for (const auto& [id, record] : groups_)
    if (record.users > 0) found.push_back(&record.group);
  return found;
}

std::vector<const Group*> Groups::introduced() const {
  std::vector<const Group*> found;
  for (const auto& [id, record] : groups_)
    if (record.introduced) found.push_back(&record.group);
  return found;
}

std::size_t Groups::users(GroupId id) const {
  const auto record = groups_.find(id);
  return record == groups_.end() ? 0 : record->second.users;
}

std::optional<NexthopKey> Groups::nexthop(NexthopId id) const {
  const auto known = nexthops_.find(id);
  return known == nexthops_.end() ? std::nullopt : std::optional(known->second.key);
}

}  // namespace hopwise::routes
