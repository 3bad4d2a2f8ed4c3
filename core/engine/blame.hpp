// Which anchors are to blame themselves. An anchor that fails through every nexthop that probes it,
// at least two, while those nexthops' other anchors are well, is broken or unreachable beyond all
// of them: it says nothing of the paths. It stays blamed until it is well again through one of
// them.
#pragma once

#include <map>
#include <set>

#include "core/engine/tracked_nexthop.hpp"

namespace hopwise::engine {

class Blame {
 public:
  /// By what all nexthops say now.
  void advance(const std::map<NexthopId, TrackedNexthop>& nexthops,
               const std::set<Anchor>& answered, TimePoint now);
  [[nodiscard]] const std::set<Anchor>& blamed() const { return blamed_; }

 private:
  struct Word {
    int asked = 0;
    int bad = 0;
    int well = 0;
    bool others_well = true;  // through each nexthop some other anchor is
  };
  // Kept from call to call, so that a call asks the heap for nothing while the anchors stay.
  std::map<Anchor, Word> words_;
  std::set<Anchor> blamed_;
};

}  // namespace hopwise::engine
