#include "core/api/answer.hpp"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

#include "core/api/event_json.hpp"
#include "core/api/law_json.hpp"
#include "core/api/query.hpp"

namespace hopwise::api {
namespace {

constexpr unsigned kRefused = 422;

Answer plain(unsigned status, const std::string& body) {
  return {status, "text/plain; charset=utf-8", body};
}

Answer metrics(const Handlers& handlers) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", handlers.metrics()};
}

Answer readiness(const Handlers& handlers) {
  const Status status = handlers.status();
  const std::string& note = status.speaker.note;
  return status.ready ? plain(200, note.empty() ? "ready\n" : "ready, but " + note + "\n")
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

Answer begin_trace(const Request& request, std::string_view query, const Handlers& handlers) {
  if (!request.local)
    return refusal(403, "traces are begun on the unix socket only (`hopwise trace`)");
  const auto order = trace_order_of(query);
  if (!order) return refusal(400, order.error().message);
  const auto id = handlers.trace(*order);
  if (!id) return refusal(kRefused, id.error().message);
  return {202, "application/json", "{\"id\":" + std::to_string(*id) + "}\n"};
}

Answer show_traces(std::string_view query_text, const Handlers& handlers) {
  const auto query = parse_query(query_text, "id");
  if (!query) return refusal(400, query.error().message);
  const std::vector<Trace> traces = handlers.traces();
  const auto wanted = query->find("id");
  if (wanted == query->end()) return {200, "application/json", to_json(traces)};
  for (const Trace& trace : traces)
    if (std::to_string(trace.id) == wanted->second)
      return {200, "application/json", to_json(trace)};
  return refusal(404, "no trace \"" + wanted->second + "\" is kept (`hopwise trace` lists them)");
}

Answer show_events(std::string_view query_text, const Handlers& handlers) {
  const auto query = event_query_of(query_text);
  if (!query) return refusal(400, query.error().message);
  return {200, "application/json", to_json(handlers.events(*query))};
}

// A group's decisions that are told with it; each may have an effect beside it.
constexpr std::size_t kDecisionsTold = 5;

std::vector<EventRecord> newest_decisions(GroupId group, const Handlers& handlers) {
  EventQuery query;
  query.group = raw(group);
  query.kind = EventKind::decision;
  query.limit = kDecisionsTold;
  std::vector<EventRecord> all = handlers.events(query).events;
  if (all.empty()) return all;
  query.kind = EventKind::effect;
  query.after = all.front().sequence;
  query.limit = 10 * kDecisionsTold;
  for (EventRecord& effect : handlers.events(query).events) all.push_back(std::move(effect));
  return all;
}

Answer show_groups(std::string_view query_text, const Handlers& handlers) {
  const auto query = parse_query(query_text, "id");
  if (!query) return refusal(400, query.error().message);
  const Status status = handlers.status();
  const auto wanted = query->find("id");
  if (wanted == query->end()) return {200, "application/json", groups_json(status)};
  for (const GroupStatus& group : status.groups)
    if (std::to_string(raw(group.id)) == wanted->second || group.name == wanted->second)
      return {200, "application/json",
              group_json(status, group, newest_decisions(group.id, handlers))};
  return refusal(404, "no group \"" + wanted->second + "\" (`hopwise status` lists them)");
}

Answer show_routes(std::string_view query_text, const Handlers& handlers) {
  const auto query = route_query_of(query_text);
  if (!query) return refusal(400, query.error().message);
  const auto page = handlers.routes(*query);
  if (!page) return refusal(404, page.error().message);
  return {200, "application/json", to_json(*page)};
}

using Show = Answer (*)(std::string_view query, const Handlers& handlers);

// Those that only tell, and take a query.
Show shown_at(std::string_view path) {
  if (path == "/api/v1/explain") return explain;
  if (path == "/api/v1/events") return show_events;
  if (path == "/api/v1/groups") return show_groups;
  if (path == "/api/v1/routes") return show_routes;
  return nullptr;
}

Answer tell_record(unsigned status, const Handlers& handlers) {
  const RecordStatus now = handlers.record_status();
  nlohmann::ordered_json body{{"recording", now.recording},
                              {"file", nullptr},
                              {"seconds", now.seconds},
                              {"bytes", now.bytes},
                              {"ended", nullptr}};
  if (!now.file.empty()) body["file"] = now.file;
  if (!now.ended.empty()) body["ended"] = now.ended;
  return {status, "application/json",
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n'};
}

Answer record(const Request& request, std::string_view query, const Handlers& handlers) {
  if (request.method == "GET" || request.method == "HEAD") return tell_record(200, handlers);
  if (request.method != "POST" && request.method != "DELETE") {
    Answer refused = refusal(405, "this takes GET, HEAD, POST, DELETE");
    refused.allow = "GET, HEAD, POST, DELETE";
    return refused;
  }
  if (!request.local)
    return refusal(403, "recording is begun and ended on the unix socket only (`hopwise record`)");
  if (request.method == "DELETE") {
    const auto ended = handlers.end_record();
    return ended ? tell_record(200, handlers) : refusal(kRefused, ended.error().message);
  }
  const auto order = record_order_of(query);
  if (!order) return refusal(400, order.error().message);
  const auto begun = handlers.record(*order);
  return begun ? tell_record(202, handlers) : refusal(kRefused, begun.error().message);
}

Answer route(const Request& request, const Handlers& handlers) {
  const std::size_t mark = std::min(request.target.find('?'), request.target.size());
  const std::string_view path = request.target.substr(0, mark);
  const std::string_view query = request.target.substr(std::min(mark + 1, request.target.size()));

  if (path == "/api/v1/record") return record(request, query, handlers);
  const bool known = path == "/metrics" || path == "/healthz" || path == "/readyz" ||
                     path == "/api/v1/status" || shown_at(path) != nullptr ||
                     path == "/api/v1/reload" || path == "/api/v1/traces";
  if (!known)
    return refusal(
        404,
        "nothing is here (there are /metrics, /healthz, /readyz, /api/v1/status, "
        "/api/v1/explain, /api/v1/events, /api/v1/groups, /api/v1/routes, /api/v1/traces, "
        "/api/v1/record and POST /api/v1/reload)");
  const bool post = path == "/api/v1/reload";
  const bool either = path == "/api/v1/traces";
  const bool posted = request.method == "POST";
  const bool allowed =
      posted ? post || either : !post && (request.method == "GET" || request.method == "HEAD");
  if (!allowed) {
    const std::string allow = post ? "POST" : either ? "GET, HEAD, POST" : "GET, HEAD";
    Answer refused = refusal(405, "this takes " + allow);
    refused.allow = allow;
    return refused;
  }
  if (path == "/metrics") return metrics(handlers);
  if (path == "/healthz") return plain(200, "ok\n");
  if (path == "/readyz") return readiness(handlers);
  if (path == "/api/v1/status") return {200, "application/json", to_json(handlers.status())};
  if (const Show show = shown_at(path)) return show(query, handlers);
  if (either) return posted ? begin_trace(request, query, handlers) : show_traces(query, handlers);
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
