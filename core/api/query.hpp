// What requests ask for: the text after the "?", read into what the handlers take.
//
// Nothing is guessed: a parameter that is not known, stands twice, is badly encoded or out of its
// range is an error that names it and says what may be written.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/api/server.hpp"

namespace hopwise::api {

using Query = std::map<std::string, std::string>;

/// `known`: the parameters that there are, ", " between them.
Result<Query> parse_query(std::string_view text, std::string_view known);

Result<FlowTuple> flow_of(std::string_view query);            // of explain
Result<TraceOrder> trace_order_of(std::string_view query);    // of POST traces
Result<EventQuery> event_query_of(std::string_view query);    // of events
Result<RecordOrder> record_order_of(std::string_view query);  // of POST record

Result<RouteQuery> route_query_of(std::string_view query);  // of routes

}  // namespace hopwise::api
