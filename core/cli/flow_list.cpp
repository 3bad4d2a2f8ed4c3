#include "core/cli/flow_list.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/api/flow_json.hpp"
#include "core/cli/figures.hpp"
#include "core/cli/table.hpp"

namespace hopwise::cli {
namespace {

using Align = Table::Align;

std::int64_t figure(const FlowRecord& flow, FlowOrder order) {
  switch (order) {
    case FlowOrder::bytes:
      break;
    case FlowOrder::packets:
      return static_cast<std::int64_t>(flow.packets + flow.reverse_packets);
    case FlowOrder::rtt:
      return flow.rtt.value_or(Duration(-1)).count();
    case FlowOrder::retransmissions:
      return flow.retransmitted;
    case FlowOrder::age:
      return flow.age.count();
    case FlowOrder::idle:
      return flow.idle.count();
  }
  return static_cast<std::int64_t>(flow.bytes + flow.reverse_bytes);
}

auto identity(const FlowTuple& tuple) {
  return std::tie(tuple.source, tuple.destination, tuple.protocol, tuple.source_port,
                  tuple.destination_port);
}

/// "203.0.113.9:443", "[2001:db8::9]:443"; echoes and fragments have no port.
std::string end_text(const Json& address, const Json& port) {
  auto text = address.get<std::string>();
  if (port.get<unsigned>() == 0) return text;
  return (text.find(':') == std::string::npos ? text : '[' + text + ']') + ':' + count(port);
}

std::string id_text(const Json& id) {
  return id.is_null() ? "-" : count(id);
}

std::string nexthop_text(const Json& flow) {
  if (flow.at("control").get<bool>()) return "the kernel's";
  if (!flow.at("nexthop").is_null()) return text(flow.at("nexthop"));
  return flow.at("nexthop_id").is_null() ? "-" : "nexthop-" + count(flow.at("nexthop_id"));
}

std::string retransmissions_text(const Json& flow) {
  const auto segments = flow.at("segments").get<double>();
  if (segments == 0) return "-";
  const auto again = flow.at("retransmitted_segments").get<double>();
  return magnitude(again) + " (" + percent(again / segments) + ')';
}

std::vector<std::string> remarks(const Json& flow) {
  std::vector<std::string> remarks;
  if (flow.at("control").get<bool>()) remarks.emplace_back("control group");
  if (!flow.at("answered").get<bool>()) remarks.emplace_back("no answer yet");
  if (!flow.at("moved_ago_s").is_null())
    remarks.push_back("moved " + time_text(flow.at("moved_ago_s").get<double>()) + " ago");
  if (const auto escapes = flow.at("escapes").get<unsigned>(); escapes > 0)
    remarks.push_back("escaped " + std::to_string(escapes) + (escapes == 1 ? " time" : " times"));
  return remarks;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all.append(all.empty() ? "" : ", ").append(part);
  return all;
}

std::string heading(const Json& list) {
  const auto matched = list.at("matched").get<std::uint64_t>();
  const std::size_t shown = list.at("flows").size();
  if (matched == 0) return "no flow matches\n";
  std::string line = std::to_string(matched) + (matched == 1 ? " flow matches" : " flows match");
  if (shown < matched) line += "; the first " + std::to_string(shown);
  return line + ", by " + text(list.at("sort")) + ":\n\n";
}

std::string table(const Json& flows) {
  Table table({{"PROTO"},
               {"SOURCE"},
               {"DESTINATION"},
               {"GROUP", Align::right},
               {"NEXTHOP"},
               {"AGE", Align::right},
               {"IDLE", Align::right},
               {"OUT", Align::right},
               {"", Align::right},
               {"BACK", Align::right},
               {"", Align::right},
               {"RTT", Align::right},
               {"SENT AGAIN", Align::right},
               {"NOTE"}});
  for (const Json& flow : flows)
    table.add({text(flow.at("protocol")), end_text(flow.at("source"), flow.at("source_port")),
               end_text(flow.at("destination"), flow.at("destination_port")),
               id_text(flow.at("group")), nexthop_text(flow),
               time_text(flow.at("age_s").get<double>()),
               time_text(flow.at("idle_s").get<double>()), packets_text(flow.at("forward_packets")),
               bytes_text(flow.at("forward_bytes")), packets_text(flow.at("reverse_packets")),
               bytes_text(flow.at("reverse_bytes")), milliseconds_text(flow.at("rtt_ms")),
               retransmissions_text(flow), joined(remarks(flow))});
  return table.empty() ? "" : table.text();
}

}  // namespace

// Ties go to the larger flow, and then to what a reader would sort by: the same flows give the same
// list.
bool FlowList::before(const FlowRecord& a, const FlowRecord& b) const {
  const auto rank = [&](const FlowRecord& flow) {
    return std::tuple(-figure(flow, order_), -figure(flow, FlowOrder::bytes));
  };
  return std::tuple(rank(a), identity(a.tuple)) < std::tuple(rank(b), identity(b.tuple));
}

void FlowList::add(const FlowRecord& flow) {
  const auto before = [this](const auto& a, const auto& b) { return this->before(a, b); };
  ++added_;
  if (heap_.size() == limit_) {
    if (!before(flow, heap_.front())) return;
    std::pop_heap(heap_.begin(), heap_.end(), before);
    heap_.back() = flow;
  } else {
    heap_.push_back(flow);
  }
  std::push_heap(heap_.begin(), heap_.end(), before);
}

std::vector<FlowRecord> FlowList::flows() const {
  std::vector<FlowRecord> flows = heap_;
  std::sort(flows.begin(), flows.end(),
            [this](const auto& a, const auto& b) { return before(a, b); });
  return flows;
}

std::string to_json(const FlowList& list, const std::vector<NamedNexthop>& names) {
  Json json{{"matched", list.added()}, {"sort", text(list.order())}, {"flows", Json::array()}};
  for (const FlowRecord& flow : list.flows()) {
    const auto named = std::find_if(names.begin(), names.end(), [&](const NamedNexthop& nexthop) {
      return nexthop.id == flow.nexthop;
    });
    json["flows"].push_back(
        api::describe(flow, named == names.end() ? std::nullopt : std::optional(named->name)));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> render_flows(const std::string& json) {
  try {
    const Json list = Json::parse(json);
    return {boost::system::in_place_value, heading(list) + table(list.at("flows"))};
  } catch (const Json::exception& error) {
    return Error{std::string("read the list of flows: ") + error.what()};
  }
}

std::string flow_sentence(const Json& flow) {
  std::vector<std::string> parts{time_text(flow.at("age_s").get<double>()) + " old",
                                 "idle for " + time_text(flow.at("idle_s").get<double>()),
                                 packets_text(flow.at("reverse_packets")) + ' ' +
                                     bytes_text(flow.at("reverse_bytes")) + " back"};
  if (!flow.at("rtt_ms").is_null()) parts.push_back("RTT " + milliseconds_text(flow.at("rtt_ms")));
  if (flow.at("segments").get<std::uint64_t>() > 0)
    parts.push_back("sent again " + retransmissions_text(flow) + " of its segments");
  for (std::string& remark : remarks(flow)) parts.push_back(std::move(remark));
  return joined(parts);
}

}  // namespace hopwise::cli
