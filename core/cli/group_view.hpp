// `hopwise explain GROUP`: what the control law holds of a group, as text.
#pragma once

#include <string>

#include "core/model/result.hpp"

namespace hopwise::cli {

/// Of GET /api/v1/groups?id=. Columns and lines of which nothing is known are left out.
Result<std::string> render_group(const std::string& json);

}  // namespace hopwise::cli
