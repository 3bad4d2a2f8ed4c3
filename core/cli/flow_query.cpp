#include "core/cli/flow_query.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace hopwise::cli {
namespace {

constexpr std::size_t kMostFlows = 1'000'000;  // more than the tables hold

constexpr std::array<std::pair<FlowOrder, const char*>, 6> kOrders{{
    {FlowOrder::bytes, "bytes"},
    {FlowOrder::packets, "packets"},
    {FlowOrder::rtt, "rtt"},
    {FlowOrder::retransmissions, "retransmissions"},
    {FlowOrder::age, "age"},
    {FlowOrder::idle, "idle"},
}};

Error wrong(const char* option, const std::string& typed, const char* remedy) {
  return Error{std::string("--") + option + ": \"" + typed + "\" is " + remedy};
}

template <class T>
std::optional<T> number(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Prefix> prefix(const std::string& text) {
  if (const auto prefix = Prefix::parse(text)) return prefix;
  const auto address = IpAddress::parse(text);
  return address ? std::optional(Prefix::covering(*address, address->bits())) : std::nullopt;
}

std::optional<std::uint8_t> protocol(const std::string& text) {
  if (text == "tcp") return 6;
  if (text == "udp") return 17;
  if (text == "icmp") return 1;
  if (text == "icmpv6" || text == "icmp6") return 58;
  return number<std::uint8_t>(text);
}

// A name first: nothing keeps a name from being a number.
Result<NexthopId> nexthop(const std::string& typed, const std::vector<NamedNexthop>& known) {
  std::vector<const NamedNexthop*> meant;
  std::string all;
  for (const NamedNexthop& nexthop : known) {
    if (nexthop.name == typed) return nexthop.id;
    if (nexthop.gateway == typed) meant.push_back(&nexthop);
    all.append(all.empty() ? "" : ", ").append(nexthop.name);
  }
  if (meant.size() == 1) return meant[0]->id;
  if (meant.size() > 1)
    return Error{"--nexthop: \"" + typed + "\" is the gateway of several (one of " +
                 meant[0]->name + ", " + meant[1]->name + ")"};
  if (const auto id = number<std::uint32_t>(typed); id && *id > 0) return NexthopId{*id};
  if (known.empty())
    return wrong("nexthop", typed, "known to the daemon only, which does not answer (give the id)");
  return Error{"--nexthop: \"" + typed + "\" is no nexthop (a name, an id or a gateway: " + all +
               ')'};
}

}  // namespace

std::optional<Duration> typed_time(const std::string& text) {
  constexpr std::array<std::pair<std::string_view, Duration>, 4> kUnits{{
      {"ms", std::chrono::milliseconds(1)},
      {"s", std::chrono::seconds(1)},
      {"m", std::chrono::minutes(1)},
      {"h", std::chrono::hours(1)},
  }};
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string::npos) return std::nullopt;
  const auto count = number<std::uint32_t>(std::string_view(text).substr(0, digits));
  for (const auto& [unit, length] : kUnits)
    if (count && *count > 0 && text.substr(digits) == unit && *count <= Duration::max() / length)
      return *count * length;
  return std::nullopt;
}

const char* text(FlowOrder order) {
  for (const auto& [known, name] : kOrders)
    if (known == order) return name;
  return "";
}

std::vector<NamedNexthop> named_nexthops(const std::string& status_json) {
  std::vector<NamedNexthop> named;
  try {
    const auto status = nlohmann::json::parse(status_json);
    for (const auto& nexthop : status.at("nexthops"))
      named.push_back({NexthopId{nexthop.at("id").get<std::uint32_t>()},
                       nexthop.at("name").get<std::string>(),
                       nexthop.at("gateway").get<std::string>()});
  } catch (const nlohmann::json::exception&) {
    named.clear();
  }
  return named;
}

Result<FlowQuery> parse_flow_query(const FlowOptions& options,
                                   const std::vector<NamedNexthop>& nexthops) {
  FlowQuery query;
  dataplane::FlowFilter& filter = query.filter;
  for (const auto& [option, typed, set] :
       {std::tuple("source", &options.source, &filter.source),
        std::tuple("destination", &options.destination, &filter.destination)}) {
    if (typed->empty()) continue;
    *set = prefix(*typed);
    if (!*set) return wrong(option, *typed, "no address or prefix (10.0.0.2, 10.0.0.0/8)");
  }
  if (filter.source && filter.destination &&
      filter.source->address.family != filter.destination->address.family)
    return Error{"--source and --destination are of different families"};
  if (!options.protocol.empty() && !(filter.protocol = protocol(options.protocol)))
    return wrong("protocol", options.protocol, "unknown (tcp, udp, icmp or a number to 255)");
  if (!options.port.empty() && !(filter.port = number<std::uint16_t>(options.port)))
    return wrong("port", options.port, "no port (0 to 65535)");
  if (!options.nexthop.empty()) {
    const auto id = nexthop(options.nexthop, nexthops);
    if (!id) return id.error();
    filter.nexthop = *id;
  }
  if (!options.group.empty()) {
    const auto id = number<std::uint32_t>(options.group);
    if (!id || *id == 0)
      return wrong("group", options.group, "no group (a number: `hopwise status` shows them)");
    filter.group = GroupId{*id};
  }
  if (!options.active.empty()) {
    const auto time = typed_time(options.active);
    if (!time) return wrong("active", options.active, "no time (500ms, 10s, 2m, 1h)");
    filter.idle_below = *time;
  }
  const auto* order = std::find_if(kOrders.begin(), kOrders.end(),
                                   [&](const auto& known) { return known.second == options.sort; });
  if (order == kOrders.end())
    return wrong("sort", options.sort,
                 "no order (bytes, packets, rtt, retransmissions, age or idle)");
  query.order = order->first;
  const auto limit = number<std::size_t>(options.limit);
  if (!limit || *limit == 0 || *limit > kMostFlows)
    return wrong("limit", options.limit, "no number of flows (1 to 1000000)");
  query.limit = *limit;
  return query;
}

}  // namespace hopwise::cli
