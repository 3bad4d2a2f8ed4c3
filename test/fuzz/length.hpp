// How long to fuzz, and with which frames: the command line's --packets and --seed.
#pragma once

#include <cstdint>

namespace hopwise::fuzz {

struct Length {
  std::uint64_t packets = 300'000;
  std::uint64_t seed = 1;
};

/// What the command line asked for: Catch2 passes nothing to a test.
Length& length();

}  // namespace hopwise::fuzz
