// A page of routes as JSON. Groups stand beside the routes, once each: most of a million routes
// share a few.
#include <nlohmann/json.hpp>

#include "core/api/server.hpp"

namespace hopwise::api {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const std::vector<RouteNexthop>& nexthops) {
  Json list = Json::array();
  for (const RouteNexthop& nexthop : nexthops)
    list.push_back({{"nexthop", nexthop.name}, {"kernel_weight", nexthop.kernel_weight}});
  return list;
}

Json describe(const RouteEntry& entry) {
  Json json{{"prefix", entry.prefix.text()},
            {"group", entry.group ? Json(raw(*entry.group)) : Json(nullptr)}};
  if (entry.promoted_below) json["promoted_below"] = entry.promoted_below->text();
  if (entry.group) return json;
  json["because"] = text(entry.because);
  json["nexthops"] = describe(entry.nexthops);
  return json;
}

}  // namespace

std::string to_json(const RoutePage& page) {
  Json json{{"counted", page.counted},
            {"next", page.next ? Json(page.next->text()) : Json(nullptr)},
            {"groups", Json::array()},
            {"routes", Json::array()}};
  for (const auto& [id, nexthops] : page.groups)
    json["groups"].push_back({{"id", raw(id)}, {"nexthops", describe(nexthops)}});
  for (const RouteEntry& entry : page.routes) json["routes"].push_back(describe(entry));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace hopwise::api
