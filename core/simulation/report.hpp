// A simulation whole: the oracle and the controllers asked for, and what is told of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/simulation/run.hpp"

namespace hopwise::simulation {

struct Results {
  std::string scenario{};
  std::uint64_t seed = 0;
  std::vector<Performance>
      outcomes{};  // in the order of controller_names(); hindsight's and the oracle's are the last
};

/// `only`: some of controller_names(), "oracle" and "hindsight" too; empty: all. Hindsight is the
/// oracle that chooses at events alone, though the scenario lets the oracle choose more often
/// (without that they are one, and it is not in "all"). `tell` hears each name before its turn
/// comes. The error names what is unknown.
Result<Results> simulate(const Scenario& scenario, const std::vector<std::string>& only,
                         const std::function<void(std::string_view)>& tell);

/// How much more the controller costs than the oracle, 0.02 is 2 %; empty without an oracle.
std::optional<double> regret(const Results& results, const Figures Performance::*figures,
                             const Performance& outcome);

/// Decisions and their reasons are in it, series are not.
std::string to_json(const Results& results);

}  // namespace hopwise::simulation
