// The API's JSON as text for people: aligned tables, the important first. Pure.
#pragma once

#include <string>

#include "core/model/result.hpp"

namespace hopwise::cli {

/// Of GET /api/v1/status. An error when the text is not that: the daemon is of another version.
Result<std::string> render_status(const std::string& json);

/// Of GET /api/v1/explain.
Result<std::string> render_explanation(const std::string& json);

/// Of the {"error": ...} that comes with any other status than 200; the text itself if it is none.
std::string render_error(const std::string& json);

}  // namespace hopwise::cli
