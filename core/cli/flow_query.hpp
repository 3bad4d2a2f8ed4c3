// The options of `hopwise flows`, as typed, made into a filter and an order. Pure. Every error
// names the option and what to write instead.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/model/result.hpp"

namespace hopwise::cli {

/// "500ms", "10s", "2m", "1h"; nothing for what is no time.
std::optional<Duration> typed_time(const std::string& text);

/// Empty where the line does not have it.
struct FlowOptions {
  std::string source, destination, protocol, port, nexthop, group, active;
  std::string sort = "bytes";
  std::string limit = "50";
};

/// Most first: bytes and packets of both directions, retransmitted segments.
enum class FlowOrder : std::uint8_t { bytes, packets, rtt, retransmissions, age, idle };
const char* text(FlowOrder order);

struct FlowQuery {
  dataplane::FlowFilter filter;
  FlowOrder order = FlowOrder::bytes;
  std::size_t limit = 50;
};

/// A nexthop by the names that people have for it.
struct NamedNexthop {
  NexthopId id{};
  std::string name;
  std::string gateway;
};
/// Of GET /api/v1/status; none when the text is not that.
std::vector<NamedNexthop> named_nexthops(const std::string& status_json);

/// `nexthops`: those that the daemon told of; none when it does not answer, so that only ids do.
Result<FlowQuery> parse_flow_query(const FlowOptions& options,
                                   const std::vector<NamedNexthop>& nexthops);

}  // namespace hopwise::cli
