// `hopwise simulate`: plays a scenario against the model, and tells how hopwise and the laws that
// it is compared with did. Asks no daemon.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "core/simulation/report.hpp"

namespace hopwise::cli {

/// As typed.
struct SimulateLine {
  std::string scenario{};  // or a recording
  std::vector<std::string> only{};
  std::string seed{};    // empty: the scenario's
  std::string config{};  // of a recording: the engine's options instead of the recorded ones
  std::string plot{};    // a file for the picture; empty: none
  bool json = false;
  bool events = false;
};

/// A line for each controller, then what each event took.
std::string render_results(const simulation::Results& results);
/// Every decision that came with a reason.
std::string render_decisions(const simulation::Results& results);

/// The exit status: 0 done, 1 a file cannot be written, 2 the line or the scenario is wrong.
int run_simulate(const SimulateLine& line, std::ostream& out, std::ostream& err);

}  // namespace hopwise::cli
