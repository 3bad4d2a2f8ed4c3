// The routing daemon beside us as JSON: its part of the status.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/model/speaker.hpp"

namespace hopwise::api {

nlohmann::ordered_json describe(const SpeakerStatus& speaker);

}  // namespace hopwise::api
