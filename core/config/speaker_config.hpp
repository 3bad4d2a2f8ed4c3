// "speaker": the routing daemon beside us.
#pragma once

#include "core/config/config.hpp"
#include "core/config/reader.hpp"

namespace hopwise::config {

void read_speaker(Object& o, Speaker& speaker);

}  // namespace hopwise::config
