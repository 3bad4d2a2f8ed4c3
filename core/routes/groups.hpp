// Who is who: nexthops, groups and paths get their small ids here, and keep them.
//
// A set of nexthops is a group; the same set from another route is the same group. A variant of it,
// for one class of traffic or one prefix, is another. A group that nobody uses is kept for a grace
// period, so that a flapping route finds its flows again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/time.hpp"
#include "core/routes/nexthop_set.hpp"

namespace hopwise::routes {

class Groups {
 public:
  explicit Groups(const Limits& limits, Duration grace = std::chrono::seconds(60));

  /// Ids that an earlier daemon gave out, to be taken again when the same nexthops and sets come.
  /// They count as unused until acquired. An entry that contradicts others, or of which all are
  /// candidates, cannot be taken again: its ids stay nobody's, as routes of that daemon may still
  /// lead there, until the first expire(), which names them for removal. Call that after these
  /// routes are gone. Groups for one prefix are never taken again: the tables do not tell which
  /// prefix it was.
  void adopt(const std::vector<std::pair<NexthopId, NexthopKey>>& nexthops,
             const std::vector<Group>& groups, TimePoint now);

  struct Acquired {
    Group group;
    std::vector<std::pair<NexthopId, NexthopKey>> new_nexthops;  // first used by this group
    bool new_group = false;  // or adopted and now used for the first time
  };
  /// One more route (or group, of its class groups) uses this set. Weights are the first user's: a
  /// set that differs only in weights is another group; a gateway listed twice counts once, with
  /// both weights; a weight of 0 is a candidate's. Fails, and changes nothing, when the set is
  /// empty or too large, has candidates alone, or ids run out ("256 groups in use ...").
  Result<Acquired> acquire(std::vector<WeightedNexthop> set, const Variant& variant = {});
  /// Whether acquire() would find it as it is, used or in its grace period. `set` is canonical.
  [[nodiscard]] bool knows(const std::vector<WeightedNexthop>& set) const {
    return by_name_.contains({set, {}});
  }
  /// One more route uses a group that others use already; false, and nothing, where none does.
  bool join(GroupId id);
  /// One route less uses it. Throws std::logic_error when none did.
  void release(GroupId id, TimePoint now);

  struct Expired {
    std::vector<GroupId> groups;
    std::vector<NexthopId> nexthops;  // used by no group any more
  };
  /// Frees what no route has used for the grace period. The caller removes it from the data plane.
  Expired expire(TimePoint now);

  /// Ids that are nobody's now.
  struct Left {
    std::size_t groups = 0;
    std::size_t paths = 0;
    std::size_t nexthops = 0;
  };
  [[nodiscard]] Left left() const {
    return {group_ids_.left(), path_ids_.left(), nexthop_ids_.left()};
  }

  [[nodiscard]] const Group* find(GroupId id) const;
  /// Those that routes use now, by id.
  [[nodiscard]] std::vector<const Group*> used() const;
  /// These, and those that were used and are in their grace period: their last flows still run.
  [[nodiscard]] std::vector<const Group*> introduced() const;
  [[nodiscard]] std::size_t users(GroupId id) const;
  [[nodiscard]] std::optional<NexthopKey> nexthop(NexthopId id) const;
  /// What to acquire() for another variant of the group; empty for an unknown one.
  [[nodiscard]] std::vector<WeightedNexthop> set_of(GroupId id) const;

 private:
  using Set = std::vector<WeightedNexthop>;
  using Name = std::pair<Set, Variant>;

  // The ids 1..limit, given out in turn: flows may outlive what their entries name, and must not
  // be taken for another's. The same history gives the same ids.
  class Ids {
   public:
    explicit Ids(std::uint32_t limit) : taken_(limit) {}
    [[nodiscard]] bool free(std::uint32_t id) const;
    [[nodiscard]] std::size_t left() const { return taken_.size() - count_; }
    [[nodiscard]] std::size_t limit() const { return taken_.size(); }
    std::uint32_t take();  // only while left() > 0
    void take(std::uint32_t id);
    void give_back(std::uint32_t id);

   private:
    std::vector<bool> taken_;
    std::size_t count_ = 0;
    std::size_t next_ = 0;  // where the search for a free index begins
  };

  struct Known {
    NexthopKey key;
    std::size_t groups = 0;   // that contain it, used or in their grace period
    bool introduced = false;  // its first user has been told
    TimePoint adopted;        // counts while no group contains it
  };
  struct Record {
    Group group;
    Set set;  // empty: not adoptable, its ids are reserved
    std::size_t users = 0;
    bool introduced = false;
    TimePoint unused_since;  // counts while users == 0
  };

  [[nodiscard]] std::optional<Error> refusal(const Set& set) const;
  [[nodiscard]] std::optional<Set> adoptable(const Group& group) const;
  void reserve(const Group& group, TimePoint unused_since);
  Record& create(Set set, const Variant& variant);
  Acquired introduce(Record& record);

  Limits limits_;
  Duration grace_;
  Ids nexthop_ids_, group_ids_, path_ids_;
  std::map<NexthopId, Known> nexthops_;
  std::map<NexthopKey, NexthopId> by_key_;
  std::map<GroupId, Record> groups_;
  std::map<Name, GroupId> by_name_;
};

}  // namespace hopwise::routes
