// Hears all that enters an engine, in its order, and what it decides: enough to make another engine
// decide the same. The engine itself calls it, so that no call can be forgotten.
//
// An input of the engine that is added belongs here too: without it a replay is not exact.
#pragma once

#include <cstdint>
#include <span>

#include "core/engine/memory.hpp"
#include "core/engine/policy.hpp"
#include "core/model/decision.hpp"
#include "core/model/path.hpp"
#include "core/model/reading.hpp"
#include "core/model/sample.hpp"

namespace hopwise::engine {

struct Options;

/// Each of these is told before the engine acts on it, also where the engine will ignore it.
class Tap {
 public:
  virtual ~Tap() = default;

  virtual void reconfigure(const Options& options) = 0;
  virtual void set_group(const Group& group, TimePoint now,
                         std::span<const std::uint32_t> holds) = 0;
  virtual void remove_group(GroupId id) = 0;
  virtual void remove_nexthop(NexthopId id) = 0;
  virtual void set_anchors(NexthopId id, std::span<const Anchor> anchors) = 0;
  virtual void set_terms(GroupId id, const GroupTerms& terms) = 0;
  virtual void set_terms(NexthopId id, const NexthopTerms& terms) = 0;
  virtual void observe(const PathReading& reading) = 0;
  virtual void observe(const ControlReading& reading) = 0;
  virtual void observe(const LoadReading& reading) = 0;
  virtual void observe(const Sample& sample) = 0;
  virtual void observe(const NexthopEvent& event) = 0;
  virtual void observe(const EscapeEvent& event) = 0;
  virtual void recall(NexthopId id, const NexthopMemory& memory, TimePoint now) = 0;
  virtual void recall(GroupId id, const GroupMemory& memory, TimePoint now) = 0;
  virtual void decide(TimePoint now) = 0;
  /// What decide() made: told after it, one by one.
  virtual void decided(const Decision& decision) = 0;
};

}  // namespace hopwise::engine
