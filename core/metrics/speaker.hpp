// The routing daemon beside us as series.
#pragma once

#include "core/metrics/page.hpp"
#include "core/model/status.hpp"

namespace hopwise::metrics {

void add_speaker(Page& page, const Status& status);

}  // namespace hopwise::metrics
