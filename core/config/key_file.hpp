// A secret in a file of its own, so that the configuration may be shown to anybody.
#pragma once

#include <string>

#include "core/model/result.hpp"

namespace hopwise::config {

/// The key in `path`: its bytes, but for a line break at the end. An error where it cannot be read,
/// is empty, longer than 4096 bytes or no regular file, or where everyone may read or write it.
Result<std::string> read_key(const std::string& path);

}  // namespace hopwise::config
