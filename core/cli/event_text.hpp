// Events as text, of the API's JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/cli/figures.hpp"
#include "core/model/result.hpp"

namespace hopwise::cli {

/// One event of GET /api/v1/events as a line. An error when the text is not that.
Result<std::string> render_event(const std::string& json);

/// "isp-a 50.0>25.0 %, isp-b 50.0>75.0 %": of a decision's paths, those whose share changed.
std::string shares_text(const Json& paths);
/// What the decision expects of its group: the mean by weight over the paths that get traffic;
/// empty where one of them has no prediction.
std::optional<double> predicted_ms(const Json& paths);

}  // namespace hopwise::cli
