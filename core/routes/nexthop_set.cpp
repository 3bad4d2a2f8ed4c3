#include "core/routes/nexthop_set.hpp"

#include <algorithm>

namespace hopwise::routes {

std::vector<WeightedNexthop> canonical(std::vector<WeightedNexthop> set) {
  std::sort(set.begin(), set.end());
  std::size_t kept = 0;
  for (const WeightedNexthop& hop : set) {
    if (kept > 0 && set[kept - 1].key == hop.key)
      set[kept - 1].weight += hop.weight;
    else
      set[kept++] = hop;
  }
  set.resize(kept);
  return set;
}

NexthopSet NexthopSets::share(std::vector<WeightedNexthop> set) {
  if (known_.size() >= sweep_at_) {
    boost::unordered::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(1024, 2 * known_.size());
  }
  auto& known = known_[hash_of(set)];
  if (auto same = known.lock(); same && *same == set) return same;
  auto fresh = std::make_shared<const std::vector<WeightedNexthop>>(std::move(set));
  known = fresh;
  return fresh;
}

std::size_t NexthopSets::hash_of(const std::vector<WeightedNexthop>& set) {
  std::size_t hash = set.size();
  for (const WeightedNexthop& hop : set)
    hash = (hash ^ std::hash<NexthopKey>{}(hop.key)) * 0x9e3779b97f4a7c15U + hop.weight;
  return hash;
}

}  // namespace hopwise::routes
