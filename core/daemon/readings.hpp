// The newest passive readings, as long as they say something of the present.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/model/passive.hpp"

namespace hopwise {

class Readings {
 public:
  struct Reading {
    PassiveRtt rtt;  // of the last stretch of time that had samples
    PassiveTotal total{};
    TimePoint at{};

    /// Empty when it is too old to be shown as what is.
    [[nodiscard]] std::optional<PassiveRtt> fresh(TimePoint now) const;
  };

  void add(const dataplane::Dataplane::PassiveReadings& readings, TimePoint now);
  /// Forgets what is of none of these groups: ids are given out again.
  void keep(const std::vector<const Group*>& groups);

  [[nodiscard]] const Reading* path(PathId id) const;
  [[nodiscard]] const Reading* control(GroupId id) const;

 private:
  std::map<PathId, Reading> paths_;
  std::map<GroupId, Reading> control_;
};

}  // namespace hopwise
