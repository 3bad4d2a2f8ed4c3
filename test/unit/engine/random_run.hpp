// A random but fixed stream of all that enters an engine: samples, events, readings, terms and
// changes of groups, tick by tick. It does not answer to what the engine decides, so that it can be
// told to several engines, changed by a property that should not matter.
#pragma once

#include <random>
#include <variant>
#include <vector>

#include "core/engine/engine.hpp"
#include "test/unit/engine/simulation.hpp"

namespace hopwise::engine {

struct GroupWants {
  GroupId id{};
  GroupTerms terms{};
};
struct NexthopWants {
  NexthopId id{};
  NexthopTerms terms{};
};
using Input = std::variant<Group, GroupWants, NexthopWants, NexthopEvent, EscapeEvent, Sample,
                           PathReading, ControlReading, LoadReading>;

struct RandomRun {
  Options options{};
  std::uint32_t nexthops = 0, groups = 0;
  std::vector<std::vector<Input>> ticks{};  // of 100 ms
};

/// Paths with brownouts, losses, black holes and links that fall, under random terms.
RandomRun random_run(std::uint32_t seed, int seconds);
/// The same without anything that depends on time spans of its own: delays only, and no faults.
RandomRun calm_run(std::uint32_t seed, int seconds);

void tell(Engine& engine, const Input& input, TimePoint now);
/// All decisions of it.
std::vector<Decision> decisions_of(const RandomRun& run);

}  // namespace hopwise::engine
