// Whether steering a group pays: its flows' round-trip times against those of its control flows,
// which routing carries over the same time to the same destinations.
//
// A verdict that steering hurts must be sure (95 % interval below zero) for five minutes; then the
// group takes routing's own weights for a while, longer each time.
#pragma once

#include <optional>

#include "core/engine/memory.hpp"
#include "core/model/law.hpp"
#include "core/model/reading.hpp"

namespace hopwise::engine {

class Proof {
 public:
  /// One second of the steered flows of all paths together, or of the control flows.
  void observe(const PathReading& reading);
  void observe(const ControlReading& reading);

  /// Draws the conclusions, once an epoch.
  void advance(TimePoint now);
  /// Empty while too little is known.
  [[nodiscard]] std::optional<Gain> gain() const;
  /// Steering surely hurts, or did not long ago: routing's own weights rule.
  [[nodiscard]] bool reverted(TimePoint now) const;

  void remember(GroupMemory& memory, TimePoint now) const;
  void recall(const GroupMemory& memory, TimePoint now);
};

}  // namespace hopwise::engine
