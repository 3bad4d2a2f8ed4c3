// What every benchmark program is: parts by name, a command line, a report.
#pragma once

#include <span>

#include "test/bench/parts.hpp"

namespace hopwise::bench {

struct Part {
  const char* name;
  void (*measure)(Report&, Effort);
};

enum class Needs : std::uint8_t { nothing, root };

/// --quick, --only PART, --json FILE. The exit status: 0, or 1 when a part failed.
int run_parts(int argc, char** argv, const char* about, std::span<const Part> parts,
              Needs needs = Needs::root);

}  // namespace hopwise::bench
