// What the control law holds of groups, as JSON: GET /api/v1/groups, and its parts in the status.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/model/event.hpp"
#include "core/model/law.hpp"
#include "core/model/status.hpp"

namespace hopwise::api {

nlohmann::ordered_json describe(const CostTerms& terms);
nlohmann::ordered_json describe(const Prediction& prediction);
/// Null for what is empty.
nlohmann::ordered_json describe(const std::optional<Gain>& gain);
nlohmann::ordered_json describe(const std::optional<GroupLawView>& law);
nlohmann::ordered_json describe(const std::optional<CarrierView>& carrier);

/// {"groups": [...]}: all groups of the status.
std::string groups_json(const Status& status);
/// One of them, with its newest decisions and what became of each.
std::string group_json(const Status& status, const GroupStatus& group,
                       const std::vector<EventRecord>& events);

}  // namespace hopwise::api
