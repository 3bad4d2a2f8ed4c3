#include "core/api/answer.hpp"

#include <charconv>
#include <exception>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

namespace hopwise::api {
namespace {

using Query = std::map<std::string, std::string>;

constexpr unsigned kRefused = 422;

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

Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string key(pair.substr(0, equals));
    const auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) return Error{"parameter \"" + key + "\" is not percent-encoded as it should be"};
    if (key != "src" && key != "dst" && key != "proto" && key != "sport" && key != "dport")
      return Error{"unknown parameter \"" + key + "\" (known: src, dst, proto, sport, dport)"};
    if (!query.emplace(key, *value).second) return Error{"parameter \"" + key + "\" stands twice"};
  }
  return query;
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
  if (name == "icmp6") return std::uint8_t{58};
  const auto number = parse_number<std::uint8_t>(name);
  if (!number) return Error{"proto: \"" + name + "\" is unknown (tcp, udp, icmp or a number)"};
  return *number;
}

Result<FlowTuple> flow_of(std::string_view query_text) {
  const auto query = parse_query(query_text);
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
  return FlowTuple{*source, *destination, *protocol, *source_port, *destination_port};
}

Answer plain(unsigned status, const std::string& body) {
  return {status, "text/plain; charset=utf-8", body};
}

Answer metrics(const Handlers& handlers) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", handlers.metrics()};
}

Answer readiness(const Handlers& handlers) {
  const Status status = handlers.status();
  return status.ready ? plain(200, "ready\n")
                      : plain(503, "not ready: " + status.not_ready_because + "\n");
}

Answer explain(std::string_view query, const Handlers& handlers) {
  const auto flow = flow_of(query);
  if (!flow) return refusal(400, flow.error().message);
  const auto explanation = handlers.explain(*flow);
  if (!explanation) return refusal(kRefused, explanation.error().message);
  return {200, "application/json", to_json(*explanation)};
}

Answer reload(const Request& request, const Handlers& handlers) {
  if (!request.local)
    return refusal(403, "reload is allowed on the unix socket only (`hopwise reload`)");
  if (const auto done = handlers.reload(); !done) return refusal(kRefused, done.error().message);
  return {200, "application/json", "{\"reloaded\": true}\n"};
}

Answer route(const Request& request, const Handlers& handlers) {
  const std::size_t mark = std::min(request.target.find('?'), request.target.size());
  const std::string_view path = request.target.substr(0, mark);
  const std::string_view query = request.target.substr(std::min(mark + 1, request.target.size()));

  const bool known = path == "/metrics" || path == "/healthz" || path == "/readyz" ||
                     path == "/api/v1/status" || path == "/api/v1/explain" ||
                     path == "/api/v1/reload";
  if (!known)
    return refusal(404,
                   "nothing is here (there are /metrics, /healthz, /readyz, /api/v1/status, "
                   "/api/v1/explain and POST /api/v1/reload)");
  const bool post = path == "/api/v1/reload";
  const bool allowed =
      post ? request.method == "POST" : request.method == "GET" || request.method == "HEAD";
  if (!allowed) {
    const std::string allow = post ? "POST" : "GET, HEAD";
    Answer refused = refusal(405, "this takes " + allow);
    refused.allow = allow;
    return refused;
  }
  if (path == "/metrics") return metrics(handlers);
  if (path == "/healthz") return plain(200, "ok\n");
  if (path == "/readyz") return readiness(handlers);
  if (path == "/api/v1/status") return {200, "application/json", to_json(handlers.status())};
  if (path == "/api/v1/explain") return explain(query, handlers);
  return reload(request, handlers);
}

}  // namespace

Answer refusal(unsigned status, const std::string& message) {
  const nlohmann::json body{{"error", message}};
  return {status, "application/json",
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n'};
}

Answer answer(const Request& request, const Handlers& handlers) {
  try {
    return route(request, handlers);
  } catch (const std::exception& error) {
    return refusal(500, std::string("inside hopwise: ") + error.what());
  }
}

}  // namespace hopwise::api
