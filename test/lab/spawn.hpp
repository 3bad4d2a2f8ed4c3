// posix_spawn(3) as the lab uses it: a session of its own, default signals, three descriptors.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/model/result.hpp"

namespace hopwise::lab {

struct Streams {
  int in = -1;  // -1: /dev/null
  int out = -1;
  int err = -1;
};

/// Starts `argv` in the calling thread's namespaces. A program that cannot be run is an error.
Result<pid_t> spawn(const std::vector<std::string>& argv, const Streams& streams);

}  // namespace hopwise::lab
