// What every benchmark program is: parts by name, a command line, a report.
#pragma once

#include <span>

#include "test/bench/parts.hpp"

namespace hopwise::bench {

struct Part {
  const char* name;
  void (*measure)(Report&, Effort);
};

/// --quick, --only PART, --json FILE; needs root. The exit status: 0, or 1 when a part failed.
int run_parts(int argc, char** argv, const char* about, std::span<const Part> parts);

}  // namespace hopwise::bench
