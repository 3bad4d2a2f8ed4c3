// Which paths meet a group's objectives, and which surely do not.
//
// Bounds, never a bare figure: a path breaks an objective when even the kind end of what was
// measured lies beyond it. Two figures of delay must agree, the slow average with its noise and the
// newest samples, so that neither a spike nor a fault that is over counts. What is not known breaks
// nothing. A path that broke one meets it again only with a tenth to spare.
// Objectives that contradict each other, or that nothing can meet, are no error: then no path meets
// them, and the distance tells which comes nearest.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/engine/estimator.hpp"
#include "core/engine/policy.hpp"

namespace hopwise::engine {

/// What is known of a path that objectives ask for.
struct Standing {
  const Reading* reading = nullptr;  // null: nothing
  /// Left over on the nexthop for this group, bits a second, whatever it has there now.
  std::optional<double> left_bit_s{};
};

struct Verdicts {
  bool breaks = false;  // surely breaks one of them
  bool sure = false;    // surely breaks none: others may be left for it
  bool meets = false;   // and has the margin to return
  double distance = 0;  // how far beyond the worst of them, as a part of it; 0: none
  std::string_view worst{};
};

/// Objectives as they can be judged: what is no number, or no bound at all, is left out.
Objectives sound(const Objectives& objectives);

Verdicts judge(const Objectives& objectives, const Standing& standing);

/// "max_latency_ms=150.0 rtt_ms=180.2", of the objective that is furthest off.
std::string explain(const Objectives& objectives, const Standing& standing);

}  // namespace hopwise::engine
