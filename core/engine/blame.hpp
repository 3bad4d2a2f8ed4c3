// Which anchors are to blame themselves. An anchor that fails through every nexthop that probes it,
// at least two, while those nexthops' other anchors are well, is broken or unreachable beyond all
// of them: it says nothing of the paths. It stays blamed until it is well again through one of
// them.
#pragma once

#include <map>
#include <set>

#include "core/engine/tracked_nexthop.hpp"

namespace hopwise::engine {

/// The anchors to blame now, of those blamed `before` and by what all nexthops say.
std::set<Anchor> blame(const std::map<NexthopId, TrackedNexthop>& nexthops,
                       const std::set<Anchor>& before, const std::set<Anchor>& answered,
                       TimePoint now);

}  // namespace hopwise::engine
