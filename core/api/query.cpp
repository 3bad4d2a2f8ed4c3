#include "core/api/query.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

namespace hopwise::api {
namespace {

template <class T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const auto digits = text.substr(i + 1, 2);
    const auto byte = parse_number<unsigned char>(digits, 16);
    if (digits.size() != 2 || !byte) return std::nullopt;
    plain += static_cast<char>(*byte);
    i += 2;
  }
  return plain;
}

bool is_listed(std::string_view list, std::string_view key) {
  while (!list.empty()) {
    if (list.substr(0, list.find(", ")) == key) return true;
    list.remove_prefix(std::min(list.find(", "), list.size() - 2) + 2);
  }
  return false;
}

Result<IpAddress> address_of(const Query& query, const std::string& key) {
  const auto found = query.find(key);
  if (found == query.end()) return Error{"parameter \"" + key + "\" is missing (an address)"};
  const auto address = IpAddress::parse(found->second);
  if (!address) return Error{key + ": \"" + found->second + "\" is no address"};
  return *address;
}

Result<std::uint16_t> port_of(const Query& query, const std::string& key) {
  const auto found = query.find(key);
  if (found == query.end()) return std::uint16_t{0};
  const auto port = parse_number<std::uint16_t>(found->second);
  if (!port) return Error{key + ": \"" + found->second + "\" is no port (0 to 65535)"};
  return *port;
}

Result<std::uint8_t> protocol_of(const Query& query, Family family) {
  const auto found = query.find("proto");
  const std::string name = found == query.end() ? "tcp" : found->second;
  if (name == "tcp") return std::uint8_t{6};
  if (name == "udp") return std::uint8_t{17};
  if (name == "icmp") return family == Family::v4 ? std::uint8_t{1} : std::uint8_t{58};
  if (name == "icmp6" || name == "icmpv6") return std::uint8_t{58};
  const auto number = parse_number<std::uint8_t>(name);
  if (!number)
    return Error{"proto: \"" + name + "\" is unknown (tcp, udp, icmp, icmpv6 or a number)"};
  return *number;
}

Result<std::uint8_t> dscp_of(const Query& query) {
  const auto found = query.find("dscp");
  if (found == query.end()) return std::uint8_t{0};
  const auto number = parse_number<std::uint8_t>(found->second);
  if (!number || *number > 63)
    return Error{"dscp: \"" + found->second + "\" is no number from 0 to 63"};
  return *number;
}

template <class T>
Result<T> number_of(const Query& query, const std::string& key, T absent, T most) {
  const auto found = query.find(key);
  if (found == query.end()) return absent;
  const auto number = parse_number<T>(found->second);
  if (!number || *number < 1 || *number > most)
    return Error{key + ": \"" + found->second + "\" is no number from 1 to " +
                 std::to_string(most)};
  return *number;
}

// Absent, or a whole number from `least` on.
template <class T>
Result<std::optional<T>> whole_of(const Query& query, const std::string& key, T least = 0) {
  const auto found = query.find(key);
  if (found == query.end()) return std::optional<T>();
  const auto number = parse_number<T>(found->second);
  if (!number || *number < least)
    return Error{key + ": \"" + found->second + "\" is no whole number from " +
                 std::to_string(least) + " on"};
  return number;
}

Result<> read_names(const Query& query, EventQuery& events) {
  const auto text_of = [&](const char* key) {
    const auto found = query.find(key);
    return found == query.end() ? std::string() : found->second;
  };
  events.nexthop = text_of("nexthop");
  if (const std::string name = text_of("reason"); !name.empty()) {
    events.reason = reason_named(name);
    if (!events.reason) return Error{"reason: \"" + name + "\" is no reason of a decision"};
  }
  if (const std::string name = text_of("kind"); !name.empty()) {
    events.kind = event_kind_named(name);
    if (!events.kind)
      return Error{"kind: \"" + name +
                   "\" is unknown (decision, effect, nexthop, reload, start, stop or speaker)"};
  }
  return {};
}

}  // namespace

Result<Query> parse_query(std::string_view text, std::string_view known) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string key(pair.substr(0, equals));
    const auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) return Error{"parameter \"" + key + "\" is not percent-encoded as it should be"};
    if (!is_listed(known, key))
      return Error{"unknown parameter \"" + key + "\" (known: " + std::string(known) + ")"};
    if (!query.emplace(key, *value).second) return Error{"parameter \"" + key + "\" stands twice"};
  }
  return query;
}

Result<FlowTuple> flow_of(std::string_view query_text) {
  const auto query = parse_query(query_text, "src, dst, proto, sport, dport, dscp");
  if (!query) return query.error();
  const auto source = address_of(*query, "src");
  if (!source) return source.error();
  const auto destination = address_of(*query, "dst");
  if (!destination) return destination.error();
  if (source->family != destination->family) return Error{"src and dst are of different families"};
  const auto protocol = protocol_of(*query, source->family);
  if (!protocol) return protocol.error();
  const auto source_port = port_of(*query, "sport");
  if (!source_port) return source_port.error();
  const auto destination_port = port_of(*query, "dport");
  if (!destination_port) return destination_port.error();
  const auto dscp = dscp_of(*query);
  if (!dscp) return dscp.error();
  return FlowTuple{*source, *destination, *protocol, *source_port, *destination_port, *dscp};
}

Result<TraceOrder> trace_order_of(std::string_view query_text) {
  const auto query = parse_query(query_text, "nexthop, dst, probes, hops");
  if (!query) return query.error();
  const auto nexthop = query->find("nexthop");
  if (nexthop == query->end() || nexthop->second.empty())
    return Error{"parameter \"nexthop\" is missing (a name, an id or a gateway)"};
  const auto destination = address_of(*query, "dst");
  if (!destination) return destination.error();
  const auto probes = number_of<std::uint32_t>(*query, "probes", 3, 20);
  if (!probes) return probes.error();
  const auto hops = number_of<std::uint8_t>(*query, "hops", 30, 64);
  if (!hops) return hops.error();
  return TraceOrder{nexthop->second, *destination, *probes, *hops};
}

Result<EventQuery> event_query_of(std::string_view query_text) {
  const auto query =
      parse_query(query_text, "since, within_s, group, nexthop, reason, kind, limit");
  if (!query) return query.error();
  const auto since = whole_of<std::uint64_t>(*query, "since");
  if (!since) return since.error();
  const auto within = whole_of<std::uint32_t>(*query, "within_s", 1);
  if (!within) return within.error();
  const auto group = whole_of<std::uint32_t>(*query, "group", 1);
  if (!group) return group.error();
  const auto limit = number_of<std::uint32_t>(*query, "limit", 100, 10'000);
  if (!limit) return limit.error();
  EventQuery events;
  events.after = since->value_or(0);
  events.group = *group;
  events.limit = *limit;
  if (*within)
    events.not_before = std::chrono::system_clock::now() - std::chrono::seconds(**within);
  if (const auto named = read_names(*query, events); !named) return named.error();
  return events;
}

namespace {

// Where what is asked for is a prefix, or an address for one of full length.
Result<std::optional<Prefix>> prefix_of(const Query& query, const std::string& key) {
  const auto found = query.find(key);
  if (found == query.end()) return std::optional<Prefix>();
  if (const auto prefix = Prefix::parse(found->second)) return prefix;
  if (const auto address = IpAddress::parse(found->second))
    return std::optional(Prefix::covering(*address, address->bits()));
  return Error{key + ": \"" + found->second + "\" is no prefix (203.0.113.0/24; no bits beyond)"};
}

Result<> read_route_choices(const Query& query, RouteQuery& routes) {
  const auto text_of = [&](const char* key) {
    const auto found = query.find(key);
    return found == query.end() ? std::string() : found->second;
  };
  routes.nexthop = text_of("nexthop");
  const std::string family = text_of("family"), shown = text_of("shown"), count = text_of("count");
  if (family == "v4" || family == "v6")
    routes.family = family == "v4" ? Family::v4 : Family::v6;
  else if (!family.empty())
    return Error{"family: \"" + family + "\" is neither v4 nor v6"};
  if (shown == "steered" || shown == "kernel")
    routes.shown = shown == "steered" ? RoutesShown::steered : RoutesShown::left_to_kernel;
  else if (!shown.empty() && shown != "all")
    return Error{"shown: \"" + shown + "\" is none of all, steered, kernel"};
  if (count == "only")
    routes.count_only = true;
  else if (!count.empty())
    return Error{"count: \"" + count + "\" can be \"only\" alone"};
  return {};
}

}  // namespace

Result<RouteQuery> route_query_of(std::string_view query_text) {
  const auto query = parse_query(
      query_text, "match, prefix, within, after, family, group, nexthop, shown, count, limit");
  if (!query) return query.error();
  RouteQuery routes;
  if (query->contains("match")) {
    const auto match = address_of(*query, "match");
    if (!match) return match.error();
    routes.match = *match;
  }
  for (const auto& [key, into] :
       {std::pair{"prefix", &routes.exact}, {"within", &routes.within}, {"after", &routes.after}}) {
    const auto prefix = prefix_of(*query, key);
    if (!prefix) return prefix.error();
    *into = *prefix;
  }
  if ((routes.match ? 1 : 0) + (routes.exact ? 1 : 0) + (routes.within ? 1 : 0) > 1)
    return Error{"match, prefix and within: one of them at a time"};
  const auto group = whole_of<std::uint32_t>(*query, "group", 1);
  if (!group) return group.error();
  if (*group) routes.group = GroupId{**group};
  const auto limit = number_of<std::uint32_t>(*query, "limit", routes.limit, 1000);
  if (!limit) return limit.error();
  routes.limit = *limit;
  if (const auto read = read_route_choices(*query, routes); !read) return read.error();
  return routes;
}

Result<RecordOrder> record_order_of(std::string_view query_text) {
  const auto query = parse_query(query_text, "file, seconds, bytes");
  if (!query) return query.error();
  const auto file = query->find("file");
  if (file == query->end() || !file->second.starts_with('/') ||
      file->second.find('\0') != std::string::npos)
    return Error{"parameter \"file\" should be an absolute path"};
  constexpr std::int64_t kMostSeconds = std::int64_t{366} * 86'400;
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 44;
  const auto bytes = number_of<std::uint64_t>(*query, "bytes", RecordOrder{}.max_bytes, kMostBytes);
  if (!bytes) return bytes.error();
  RecordOrder order{file->second, {}, *bytes};
  if (!query->contains("seconds")) return order;
  const auto seconds = number_of<std::int64_t>(*query, "seconds", 1, kMostSeconds);
  if (!seconds) return seconds.error();
  order.duration = std::chrono::seconds(*seconds);
  return order;
}

}  // namespace hopwise::api
