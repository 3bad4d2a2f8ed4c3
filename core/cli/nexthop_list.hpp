// `hopwise nexthops`: every nexthop on a line, out of the API's status. Pure.
#pragma once

#include <string>

#include "core/model/result.hpp"

namespace hopwise::cli {

/// Of GET /api/v1/status: {"nexthops": [{"name", "gateway", "interface", "state", ..., "groups",
/// "routes", "weight", "source"}]}. `named`: by name, gateway or id; empty: all. The error names
/// those there are.
Result<std::string> list_nexthops(const std::string& status, const std::string& named);

/// Of what list_nexthops() gave.
Result<std::string> render_nexthops(const std::string& list);

}  // namespace hopwise::cli
