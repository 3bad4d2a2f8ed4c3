// How often this binary has asked for memory: all of its operator new is counted here.
#pragma once

#include <cstdint>

namespace hopwise {

/// Calls of any operator new so far, in every thread.
std::uint64_t allocations();

}  // namespace hopwise
