// What probing says, as JSON: one prober, all of them together, bandwidth.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "core/model/status.hpp"

namespace hopwise::api {

nlohmann::ordered_json describe(const ProbeStatus& probe);
nlohmann::ordered_json describe(const ProberTotals& totals);
/// `now` is what the age of a measurement is counted to.
nlohmann::ordered_json describe(const Bandwidth& bandwidth, TimePoint now);

}  // namespace hopwise::api
