// `hopwise probes`: every prober on a line, out of the API's status. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/cli/figures.hpp"
#include "core/model/result.hpp"

namespace hopwise::cli {

/// Of GET /api/v1/status: {"probing": {...}, "probes": [{"nexthop": ..., "anchor": ..., ...}]}, as
/// the API's keys. `nexthop` is a name or a gateway; empty: of all. The error names those there
/// are.
Result<std::string> list_probes(const std::string& status, const std::string& nexthop);

enum class FlowLines : unsigned char { hidden, shown };

/// Of what list_probes() gave.
Result<std::string> render_probes(const std::string& list, FlowLines flows);

/// One line on all probers, and one for each of the first few in trouble: for `hopwise status`.
std::string probes_summary(const Json& nexthops, const Json& probing);

}  // namespace hopwise::cli
