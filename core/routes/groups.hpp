// Who is who: nexthops, groups and paths get their small ids here, and keep them.
//
// A set of nexthops is a group; the same set from another route is the same group. A group that no
// route uses is kept for a grace period, so that a flapping route finds its flows again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"

namespace hopwise::routes {

/// A route's nexthop with routing's own weight (>= 1).
struct WeightedNexthop {
  NexthopKey key;
  std::uint32_t weight = 1;

  auto operator<=>(const WeightedNexthop&) const = default;
};

class Groups {
 public:
  explicit Groups(const Limits& limits, Duration grace = std::chrono::seconds(60));

  /// Ids that an earlier daemon gave out, to be taken again when the same nexthops and sets come.
  /// They count as unused until acquired. Contradictory entries are ignored.
  void adopt(const std::vector<std::pair<NexthopId, NexthopKey>>& nexthops,
             const std::vector<Group>& groups, TimePoint now);

  struct Acquired {
    Group group;
    std::vector<std::pair<NexthopId, NexthopKey>> new_nexthops;  // first used by this group
    bool new_group = false;  // or adopted and now used for the first time
  };
  /// One more route uses this set. Weights are the first user's: a set that differs only in weights
  /// is another group. Fails when ids run out ("256 groups in use ...").
  Result<Acquired> acquire(std::vector<WeightedNexthop> set);
  /// One route less uses it.
  void release(GroupId id, TimePoint now);

  struct Expired {
    std::vector<GroupId> groups;
    std::vector<NexthopId> nexthops;  // used by no group any more
  };
  /// Frees what no route has used for the grace period. The caller removes it from the data plane.
  Expired expire(TimePoint now);

  [[nodiscard]] const Group* find(GroupId id) const;
  /// Those that routes use now, by id.
  [[nodiscard]] std::vector<const Group*> used() const;
  [[nodiscard]] std::size_t users(GroupId id) const;
  [[nodiscard]] std::optional<NexthopKey> nexthop(NexthopId id) const;

 private:
  // (to be completed)
};

}  // namespace hopwise::routes
