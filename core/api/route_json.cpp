// A page of routes as JSON. Groups stand beside the routes, once each: most of a million routes
// share a few. Written as text at once: a tree of values would cost the control loop ten times as
// much, page after page.
#include <nlohmann/json.hpp>

#include "core/api/server.hpp"

namespace hopwise::api {
namespace {

std::string quoted(const std::string& text) {
  using Json = nlohmann::json;
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// "1.2.3.0/24" and what is of our own words needs no escape.
std::string plain(std::string_view text) {
  return '"' + std::string(text) + '"';
}

std::string list_of(const std::vector<RouteNexthop>& nexthops) {
  std::string list = "[";
  for (const RouteNexthop& nexthop : nexthops)
    list.append(list.size() == 1 ? "" : ",")
        .append("{\"nexthop\":" + quoted(nexthop.name))
        .append(",\"kernel_weight\":" + std::to_string(nexthop.kernel_weight) + '}');
  return list + ']';
}

void add(std::string& text, const RouteEntry& entry) {
  text += "{\"prefix\":" + plain(entry.prefix.text());
  text += ",\"group\":" + (entry.group ? std::to_string(raw(*entry.group)) : "null");
  if (entry.promoted_below) text += ",\"promoted_below\":" + plain(entry.promoted_below->text());
  if (!entry.group)
    text += ",\"because\":" + plain(hopwise::text(entry.because)) +
            ",\"nexthops\":" + list_of(entry.nexthops);
  text += '}';
}

}  // namespace

std::string to_json(const RoutePage& page) {
  std::string text = "{\"counted\":" + std::to_string(page.counted) +
                     ",\"next\":" + (page.next ? plain(page.next->text()) : "null") +
                     ",\"groups\":[";
  for (const auto& [id, nexthops] : page.groups)
    text.append(text.back() == '[' ? "" : ",")
        .append("{\"id\":" + std::to_string(raw(id)) + ",\"nexthops\":" + list_of(nexthops) + '}');
  text += "],\"routes\":[";
  for (const RouteEntry& entry : page.routes) {
    if (text.back() != '[') text += ',';
    add(text, entry);
  }
  return text + "]}\n";
}

}  // namespace hopwise::api
