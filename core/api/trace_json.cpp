// Traces as JSON: the keys stand in README.md, in this order.
#include <nlohmann/json.hpp>

#include "core/api/server.hpp"

namespace hopwise::api {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const TraceHop::Answer& answer) {
  return {{"from", answer.from.text()},
          {"count", answer.count},
          {"least_ms", milliseconds(answer.least)},
          {"mean_ms", milliseconds(answer.mean)},
          {"most_ms", milliseconds(answer.most)},
          {"note", answer.note ? Json(*answer.note) : Json(nullptr)}};
}

Json describe(const Trace& trace, TimePoint now) {
  Json hops = Json::array();
  for (std::size_t i = 0; i < trace.hops.size(); i++) {
    const TraceHop& hop = trace.hops[i];
    Json answers = Json::array();
    for (const auto& answer : hop.answers) answers.push_back(describe(answer));
    hops.push_back({{"distance", hop.distance},
                    {"sent", hop.sent},
                    {"answered", hop.answered()},
                    {"loss_ratio", trace.ended ? Json(loss_at(trace, i)) : Json(nullptr)},
                    {"answers", std::move(answers)}});
  }
  return {{"id", trace.id},
          {"nexthop", trace.nexthop_name},
          {"nexthop_id", raw(trace.nexthop)},
          {"destination", trace.destination.text()},
          {"because", trace.because},
          {"age_s", seconds(now - trace.started)},
          {"ended", trace.ended},
          {"reached", trace.reached},
          {"error", trace.error ? Json(*trace.error) : Json(nullptr)},
          {"verdict", trace.ended ? Json(trace.verdict) : Json(nullptr)},
          {"hops", std::move(hops)}};
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string to_json(const Trace& trace, TimePoint now) {
  return text_of(describe(trace, now));
}

std::string to_json(const std::vector<Trace>& traces, TimePoint now) {
  Json all = Json::array();
  for (const Trace& trace : traces) all.push_back(describe(trace, now));
  return text_of({{"traces", std::move(all)}});
}

}  // namespace hopwise::api
