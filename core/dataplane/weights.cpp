#include "core/dataplane/weights.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

namespace hopwise::dataplane {
namespace {

constexpr std::uint32_t kNobody = ~0u;

std::uint32_t index_of(const Group& group, std::uint32_t path) {
  for (std::uint32_t i = 0; i < group.paths.size(); ++i)
    if (raw(group.paths[i].id) == path) return i;
  return kNobody;
}

std::vector<std::uint32_t> owners(const Tables& tables, const Group& group) {
  std::vector<std::uint32_t> owner;
  owner.reserve(HW_BUCKETS);
  for (const hw_bucket& bucket : tables.buckets(raw(group.id)))
    owner.push_back(index_of(group, bucket.path));
  return owner;
}

std::vector<std::uint32_t> held(const std::vector<std::uint32_t>& owner, std::size_t paths) {
  std::vector<std::uint32_t> count(paths);
  for (const std::uint32_t i : owner)
    if (i < paths) ++count[i];
  return count;
}

// The data path may have stamped a bucket just after `now` was read: that is not 49 days ago.
std::uint32_t idle_ms(std::uint32_t now_ms, std::uint32_t last_used_ms) {
  constexpr std::uint32_t kAhead = 60'000;
  const std::uint32_t idle = now_ms - last_used_ms;
  return idle > ~0u - kAhead ? 0 : idle;
}

std::uint32_t clock_ms(TimePoint now) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}

// Of each path of `model` the index of its nexthop's path in `paths`. Nothing where what holds
// buckets would have none, or where other paths than candidates would be left without.
std::optional<std::vector<std::uint32_t>> counterparts(const std::vector<Path>& paths,
                                                       const std::vector<Path>& model,
                                                       std::span<const std::uint32_t> buckets) {
  const auto place = [](const std::vector<Path>& all, const Path& path) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Path& p) { return p.nexthop == path.nexthop; });
    return found == all.end() ? kNobody : static_cast<std::uint32_t>(found - all.begin());
  };
  std::vector<std::uint32_t> places;
  for (std::size_t i = 0; i < model.size(); ++i) {
    places.push_back(place(paths, model[i]));
    if (places.back() == kNobody && buckets[i] > 0) return std::nullopt;
  }
  for (const Path& path : paths)
    if (path.kernel_weight > 0 && place(model, path) == kNobody) return std::nullopt;
  return places;
}

Leave way_to_leave(const PathShare& share) {
  if (!share.usable) return Leave::wholly;
  return share.state == PathState::degraded ? Leave::fast : Leave::gently;
}

}  // namespace

void Weights::adopt(const Group& group) {
  Shares& shares = groups_[group.id];
  shares.group = group;
  for (const Path& path : group.paths)
    shares.leave.push_back(tables_.path_flagged_usable(raw(path.id)) ? Leave::gently
                                                                     : Leave::wholly);
  const auto count = held(owners(tables_, group), group.paths.size());
  shares.weight.assign(count.begin(), count.end());
}

void Weights::set(const Group& group) {
  Shares& shares = groups_[group.id];
  shares.group = group;
  for (const Path& path : group.paths) {
    shares.leave.push_back(path.kernel_weight > 0 ? Leave::gently : Leave::wholly);
    shares.weight.push_back(path.kernel_weight);
  }
  tables_.set_paths(group);
  std::vector<std::uint32_t> nexthops;
  for (const Path& path : group.paths) nexthops.push_back(raw(path.nexthop));
  const auto owner = share_out(apportion(shares.weight, HW_BUCKETS), nexthops);
  const auto table = tables_.buckets(raw(group.id));
  for (std::uint32_t i = 0; i < HW_BUCKETS; ++i)
    publish_word(table[i].path, raw(group.paths[owner[i]].id));
}

void Weights::copy(GroupId id, GroupId like) {
  const auto to = groups_.find(id), from = groups_.find(like);
  if (to == groups_.end() || from == groups_.end()) return;
  const std::vector<Path>& paths = to->second.group.paths;
  const std::vector<Path>& model = from->second.group.paths;
  const auto owner = owners(tables_, from->second.group);
  const auto places = counterparts(paths, model, held(owner, model.size()));
  if (!places) return;
  std::vector<double> weight(paths.size(), 0);
  std::vector<Leave> leave(paths.size(), Leave::wholly);
  for (std::size_t i = 0; i < model.size(); ++i) {
    if ((*places)[i] == kNobody) continue;
    weight[(*places)[i]] = from->second.weight[i];
    leave[(*places)[i]] = from->second.leave[i];
  }
  to->second.weight = std::move(weight);
  to->second.leave = std::move(leave);
  for (std::size_t i = 0; i < paths.size(); ++i)
    tables_.set_path_usable(raw(paths[i].id), to->second.leave[i] != Leave::wholly);
  const auto table = tables_.buckets(raw(id));
  for (std::uint32_t i = 0; i < HW_BUCKETS; ++i)
    if (owner[i] < model.size()) publish_word(table[i].path, raw(paths[(*places)[owner[i]]].id));
}

void Weights::remove(GroupId id) {
  const auto known = groups_.find(id);
  if (known == groups_.end()) return;
  tables_.remove_group(raw(id));
  for (const Path& path : known->second.group.paths) tables_.remove_path(raw(path.id));
  groups_.erase(known);
}

void Weights::publish(const Decision& decision, TimePoint now) {
  const auto known = groups_.find(decision.group);
  if (known == groups_.end()) return;
  Shares& shares = known->second;
  for (const PathShare& share : decision.paths) {
    const std::uint32_t i = index_of(shares.group, raw(share.path));
    if (i == kNobody) continue;
    shares.weight[i] = share.after;
    shares.leave[i] = way_to_leave(share);
    tables_.set_path_usable(raw(share.path), share.usable);
  }
  rebalance(shares, now);
}

void Weights::sync(TimePoint now) {
  for (auto& [id, shares] : groups_)
    if (shares.waiting) rebalance(shares, now);
}

// With no usable path there is nowhere to move to: the programs leave the traffic to the kernel.
void Weights::rebalance(Shares& shares, TimePoint now) {
  shares.waiting = false;
  const std::size_t paths = shares.group.paths.size();
  std::vector<double> weight = shares.weight;
  const auto usable = [&](std::size_t i) { return shares.leave[i] != Leave::wholly; };
  for (std::size_t i = 0; i < paths; ++i)
    if (!usable(i)) weight[i] = 0;
  const auto positive = [](double w) { return w > 0; };
  if (std::none_of(weight.begin(), weight.end(), positive)) {
    for (std::size_t i = 0; i < paths; ++i) weight[i] = usable(i) ? 1 : 0;
    if (std::none_of(weight.begin(), weight.end(), positive)) return;
  }

  const auto table = tables_.buckets(raw(shares.group.id));
  const auto owner = owners(tables_, shares.group);
  std::vector<std::uint32_t> idle;
  idle.reserve(HW_BUCKETS);
  for (const hw_bucket& bucket : table)
    idle.push_back(idle_ms(
        clock_ms(now),
        std::atomic_ref(const_cast<__u32&>(bucket.last_used_ms)).load(std::memory_order_relaxed)));
  const MovePlan plan =
      plan_moves({owner, idle}, apportion(weight, HW_BUCKETS), shares.leave, pace_);
  for (const BucketMove& move : plan.moves)
    publish_word(table[move.bucket].path, raw(shares.group.paths[move.to].id));
  shares.waiting = plan.deferred > 0;
}

const Group* Weights::find(GroupId id) const {
  const auto known = groups_.find(id);
  return known == groups_.end() ? nullptr : &known->second.group;
}

std::vector<std::uint32_t> Weights::buckets(GroupId id) const {
  const Group* group = find(id);
  return group == nullptr ? std::vector<std::uint32_t>{}
                          : held(owners(tables_, *group), group->paths.size());
}

}  // namespace hopwise::dataplane
