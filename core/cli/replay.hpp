// `hopwise simulate RECORDING`: what this hopwise would have done, next to what was done.
#pragma once

#include <iosfwd>
#include <string>

#include "core/simulation/replay.hpp"

namespace hopwise::cli {

/// As typed.
struct ReplayLine {
  std::string recording;
  std::string config;  // its engine's options instead of the recorded ones; empty: those
  std::string plot;    // empty: no picture
  bool json = false;
  bool events = false;  // all decisions; else those of the slow law are left out
};

std::string render_replay(const simulation::Replay& replay, bool all_decisions);
std::string replay_json(const simulation::Replay& replay);

/// Whether the file begins as a recording does. False for what cannot be read.
bool is_recording_file(const std::string& file);

/// The exit status: 0 done, 1 the picture cannot be written, 2 the line or the recording is wrong.
int run_replay(const ReplayLine& line, std::ostream& out, std::ostream& err);

}  // namespace hopwise::cli
