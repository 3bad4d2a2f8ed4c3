// Whether nothing is wrong with a nexthop now: what may be measured by it without haste, traces and
// packet trains, waits for that.
#pragma once

#include "core/daemon/steering.hpp"
#include "core/engine/engine.hpp"

namespace hopwise {

inline bool is_calm(const NexthopRecord& record, const engine::Engine& engine) {
  if (!record.ready()) return false;
  const auto view = engine.nexthop(record.nexthop.id);
  return view && view->state == PathState::up && !view->suspicious;
}

}  // namespace hopwise
