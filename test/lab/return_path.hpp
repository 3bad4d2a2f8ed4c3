// Loads return.bpf.c into the server's namespace: flows are answered by the link they came by.
#pragma once

#include <string>
#include <vector>

#include "core/model/result.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::lab {

/// Attaches both programs to each of `devices` in `server`. They stay until the namespace goes.
Result<> answer_by_origin(const Namespace& server, const std::vector<std::string>& devices);

}  // namespace hopwise::lab
