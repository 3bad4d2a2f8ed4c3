// Weights as buckets: what each group's shares should be, and the moves that bring its table there.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/dataplane/buckets.hpp"
#include "core/dataplane/tables.hpp"
#include "core/model/decision.hpp"
#include "core/model/path.hpp"

namespace hopwise::dataplane {

class Weights {
 public:
  Weights(Tables& tables, MovePace pace) : tables_(tables), pace_(pace) {}

  /// Takes over a group whose entries are in the tables: its buckets are its weights, and paths
  /// that were not usable stay so until a decision says otherwise.
  void adopt(const Group& group);
  /// A new group: its buckets follow the kernel's weights.
  void set(const Group& group);
  /// Then: its buckets, shares and usable paths are those of `like`, where that has the same
  /// nexthops in the same order.
  void copy(GroupId id, GroupId like);
  void remove(GroupId id);

  void publish(const Decision& decision, TimePoint now);
  /// Bucket moves that were put off because their traffic was busy.
  void sync(TimePoint now);

  [[nodiscard]] const Group* find(GroupId id) const;
  [[nodiscard]] std::vector<std::uint32_t> buckets(GroupId id) const;

 private:
  struct Shares {
    Group group;
    std::vector<double> weight;  // of the group's paths, in its order
    std::vector<Leave> leave;    // wholly: not usable
    bool waiting = false;
  };
  void rebalance(Shares& shares, TimePoint now);

  Tables& tables_;
  MovePace pace_;
  std::map<GroupId, Shares> groups_;
};

}  // namespace hopwise::dataplane
