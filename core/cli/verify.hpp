// `hopwise verify`: whether the data plane equals what a fresh start would compute.
//
// It dumps the kernel's routing as the daemon does at its start (routes::Follower), applies the
// configuration's filter, and has dataplane::verify() read what is pinned. No daemon is asked.
#pragma once

#include <iosfwd>
#include <string>

#include "core/config/config.hpp"

namespace hopwise::cli {

struct VerifyLine {
  std::string wait = "1s";  // each difference must stand for so long
  bool json = false;
  std::string configuration{};  // the file that `config` is of; "": the defaults
};

/// Exit status: 0 equal, 1 it differs or cannot be looked at, 2 wrong line.
int run_verify(const VerifyLine& line, const config::Config& config, std::ostream& out,
               std::ostream& err);

}  // namespace hopwise::cli
