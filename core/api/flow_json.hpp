// One flow's record as JSON: the same in the API's explanations and in `hopwise flows -j`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/model/flow.hpp"

namespace hopwise::api {

/// `nexthop`: what its nexthop is called; null in the JSON when nobody knows.
nlohmann::ordered_json describe(const FlowRecord& flow, const std::optional<std::string>& nexthop);

/// "tcp", "udp", "icmp", "icmpv6", or the number.
std::string protocol_name(std::uint8_t protocol);

}  // namespace hopwise::api
