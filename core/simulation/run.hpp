// One run: a controller in each router, against the plant, over a scenario; and what came of it.
//
// Each step of the plant is followed by what the routers have measured meanwhile, and every 100 ms
// by their controllers' decisions. Traffic is counted from the end of the warm-up.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/model/decision.hpp"
#include "core/simulation/gains.hpp"
#include "core/simulation/scenario.hpp"
#include "core/simulation/world.hpp"

namespace hopwise::simulation {

/// Time series of one path, each as long as Trace::t_s.
struct PathTrace {
  std::string name{};               // of the link, or of the nexthop
  std::vector<float> weight{};      // share of the flows to come, 0..1
  std::vector<float> delay_ms{};    // round trip; NaN: unknown
  std::vector<float> load_bit_s{};  // on the link, of all who use it; NaN: unknown
  std::vector<float> loss{};        // 0..1
};

struct Mark {
  double t_s = 0;
  std::string text{};
};

/// One group under one controller over time: what `--plot` draws.
struct Trace {
  std::string controller{};
  std::string group{};
  std::vector<double> t_s{};
  std::vector<PathTrace> paths{};
  std::vector<Mark> marks{};  // events
};

/// Of the traffic over some time, weighted by bits.
struct Figures {
  double mean_ms = 0;  // round trip, of what arrived
  double p50_ms = 0;
  double p99_ms = 0;
  double loss = 0;     // 0..1
  double cost_ms = 0;  // mean_ms (1 - loss) + loss x what a lost byte costs
};

/// From an event that makes a link worse until 90 % of the movable traffic has left it.
struct Reaction {
  Mark event{};
  std::optional<double> after_s{};  // empty: never, until the next event there or the end
};

struct Performance {
  std::string controller{};
  Figures all{};            // after the warm-up
  Figures steady{};         // of that, without the time after events in which all must settle
  int reversals = 0;        // in the steady state: a path's weight turned, by more than 0.5 %
  int decisions = 0;        // that changed weights, after the warm-up
  double weight_moved = 0;  // sum of what they changed, in shares of the group's traffic
  double moved_bytes = 0;   // that running flows still had to carry when they had to change path
  std::vector<Reaction> reactions{};
  std::vector<Trace> traces{};        // one a group, a point a second
  std::vector<GroupGain> gains{};     // of groups with control flows
  std::vector<Decision> explained{};  // hopwise's, with their reasons
};

/// `controller` is one of controller_names(). Deterministic.
Performance play(const Scenario& scenario, std::string_view controller);

/// Splits that are fixed from some moment on, of all groups; for the oracle.
struct Plan {
  struct Phase {
    double from_s = 0;
    std::vector<std::vector<double>> weights{};  // by group and path
  };
  std::vector<Phase> phases{};
};

/// Puts the splits into force, now; links that are out of order are left at once.
void enforce(const Plan::Phase& phase, World& world);
/// A run by the plan.
Performance play(const Scenario& scenario, const Plan& plan, std::string_view name);

}  // namespace hopwise::simulation
