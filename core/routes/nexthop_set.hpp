// Sets of weighted nexthops, each kept once: a million routes name a few hundred sets.
//
// A set is sorted by key and has each key once. Equal sets from one NexthopSets are one object for
// as long as anybody holds it, so that comparing and finding them costs a pointer.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/model/path.hpp"

namespace hopwise::routes {

/// A route's nexthop with routing's own weight; 0: a candidate, which the kernel's route does not
/// use.
struct WeightedNexthop {
  NexthopKey key;
  std::uint32_t weight = 1;

  auto operator<=>(const WeightedNexthop&) const = default;
};

/// Never changes. Empty: the route is left to the kernel.
using NexthopSet = std::shared_ptr<const std::vector<WeightedNexthop>>;

/// Sorts by key; a key that is there twice counts once, with both weights. A weight of 0 stays 0.
std::vector<WeightedNexthop> canonical(std::vector<WeightedNexthop> set);

class NexthopSets {
 public:
  /// The one object for this set, which must be canonical.
  NexthopSet share(std::vector<WeightedNexthop> set);
  /// How many are kept: those in use, and at most as many more.
  [[nodiscard]] std::size_t size() const { return known_.size(); }

 private:
  static std::size_t hash_of(const std::vector<WeightedNexthop>& set);

  // By the content's hash; the rare others of one hash are not found, and only cost a copy.
  boost::unordered_flat_map<std::size_t, std::weak_ptr<const std::vector<WeightedNexthop>>> known_;
  std::size_t sweep_at_ = 1024;  // forget those that nobody holds when there are so many
};

}  // namespace hopwise::routes
