#include "core/api/flow_json.hpp"

#include <nlohmann/json.hpp>

namespace hopwise::api {
namespace {

using Json = nlohmann::ordered_json;

template <class T, class Text>
Json or_null(const std::optional<T>& value, Text text) {
  return value ? Json(text(*value)) : Json(nullptr);
}

}  // namespace

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 58:
      return "icmpv6";
    default:
      return std::to_string(protocol);
  }
}

Json describe(const FlowRecord& flow, const std::optional<std::string>& nexthop) {
  const FlowTuple& tuple = flow.tuple;
  return {{"protocol", protocol_name(tuple.protocol)},
          {"source", tuple.source.text()},
          {"source_port", tuple.source_port},
          {"destination", tuple.destination.text()},
          {"destination_port", tuple.destination_port},
          {"group", or_null(flow.group, raw<GroupId>)},
          {"nexthop", nexthop ? Json(*nexthop) : Json(nullptr)},
          {"nexthop_id", or_null(flow.nexthop, raw<NexthopId>)},
          {"control", flow.control},
          {"answered", flow.answered},
          {"age_s", seconds(flow.age)},
          {"idle_s", seconds(flow.idle)},
          {"moved_ago_s", or_null(flow.moved, seconds)},
          {"escapes", flow.escapes},
          {"forward_packets", flow.packets},
          {"forward_bytes", flow.bytes},
          {"reverse_packets", flow.reverse_packets},
          {"reverse_bytes", flow.reverse_bytes},
          {"rtt_ms", or_null(flow.rtt, milliseconds)},
          {"rtt_deviation_ms", flow.rtt ? Json(milliseconds(flow.rtt_deviation)) : Json(nullptr)},
          {"segments", flow.segments},
          {"retransmitted_segments", flow.retransmitted}};
}

}  // namespace hopwise::api
