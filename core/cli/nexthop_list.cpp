#include "core/cli/nexthop_list.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "core/cli/figures.hpp"
#include "core/cli/table.hpp"

namespace hopwise::cli {
namespace {

using Align = Table::Align;

/// What the groups say of a nexthop.
struct Use {
  std::uint64_t groups = 0;  // those of classes and destinations too
  std::uint64_t routes = 0;  // of routing's
  double weight = 0;         // times routes
  bool kernel = false, candidate = false;

  [[nodiscard]] const char* source() const {
    if (kernel) return candidate ? "kernel, candidate" : "kernel";
    return candidate ? "candidate" : "none";
  }
};

Use use_of(const Json& nexthop, const Json& groups) {
  Use use;
  for (const Json& group : groups)
    for (const Json& path : group.at("paths")) {
      if (path.at("nexthop_id") != nexthop.at("id")) continue;
      ++use.groups;
      (path.at("kernel_weight").get<std::uint64_t>() == 0 ? use.candidate : use.kernel) = true;
      // A class' group counts groups, a destination's the destination: both are counted below.
      if (!group.at("traffic_class").is_null() || !group.at("destination").is_null()) continue;
      const auto routes = group.at("routes").get<std::uint64_t>();
      use.routes += routes;
      use.weight += path.at("weight").get<double>() * static_cast<double>(routes);
    }
  return use;
}

Json describe(const Json& nexthop, const Json& groups) {
  const Use use = use_of(nexthop, groups);
  Json json;
  for (const char* key : {"id", "name", "gateway", "interface", "ifindex", "link_up",
                          "neighbour_resolved", "neighbour_address", "bfd_down", "state",
                          "state_age_s", "rtt_ms", "loss_ratio", "loss_window_probes"})
    json[key] = nexthop.at(key);
  json["groups"] = use.groups;
  json["routes"] = use.routes;
  json["weight"] =
      use.routes == 0 ? Json(nullptr) : Json(use.weight / static_cast<double>(use.routes));
  json["source"] = use.source();
  return json;
}

bool is_named(const Json& nexthop, const std::string& named) {
  return named.empty() || nexthop.at("name") == named || nexthop.at("gateway") == named ||
         std::to_string(nexthop.at("id").get<std::uint64_t>()) == named;
}

std::string link_text(const Json& nexthop) {
  if (!nexthop.at("link_up").get<bool>()) return "down";
  return nexthop.at("bfd_down").get<bool>() ? "BFD down" : "up";
}

std::string neighbour_text(const Json& nexthop) {
  if (!nexthop.at("neighbour_resolved").get<bool>()) return "unresolved";
  return nexthop.at("neighbour_address").is_null() ? "resolved"
                                                   : text(nexthop.at("neighbour_address"));
}

}  // namespace

Result<std::string> list_nexthops(const std::string& status, const std::string& named) try {
  const Json json = Json::parse(status);
  Json list{{"nexthops", Json::array()}};
  std::string all;
  for (const Json& nexthop : json.at("nexthops")) {
    all.append(all.empty() ? "" : ", ").append(nexthop.at("name").get<std::string>());
    if (is_named(nexthop, named)) list["nexthops"].push_back(describe(nexthop, json.at("groups")));
  }
  if (!named.empty() && list["nexthops"].empty())
    return Error{"no nexthop \"" + named + "\" (" + (all.empty() ? "there is none" : all) + ")"};
  return {boost::system::in_place_value, list.dump(2, ' ', false, Json::error_handler_t::replace)};
} catch (const Json::exception& error) {
  return Error{std::string("read the daemon's status: ") + error.what() +
               " (is it of another version?)"};
}

Result<std::string> render_nexthops(const std::string& text_of_list) try {
  const Json list = Json::parse(text_of_list);
  Table table({{"NEXTHOP"},
               {"GATEWAY"},
               {"INTERFACE"},
               {"STATE"},
               {"FOR", Align::right},
               {"LINK"},
               {"NEIGHBOUR"},
               {"RTT", Align::right},
               {"LOSS", Align::right},
               {"GROUPS", Align::right},
               {"ROUTES", Align::right},
               {"WEIGHT", Align::right},
               {"SOURCE"}});
  for (const Json& nexthop : list.at("nexthops")) {
    const bool measured = nexthop.at("loss_window_probes").get<unsigned>() > 0;
    const Json& age = nexthop.at("state_age_s");
    table.add({text(nexthop.at("name")), text(nexthop.at("gateway")), text(nexthop.at("interface")),
               text(nexthop.at("state")), age.is_null() ? "-" : time_text(age.get<double>()),
               link_text(nexthop), neighbour_text(nexthop), milliseconds_text(nexthop.at("rtt_ms")),
               measured ? percent(nexthop.at("loss_ratio").get<double>()) : "-",
               count(nexthop.at("groups")), count(nexthop.at("routes")),
               nexthop.at("weight").is_null() ? "-" : percent(nexthop.at("weight").get<double>()),
               text(nexthop.at("source"))});
  }
  return {boost::system::in_place_value,
          table.empty() ? "no nexthop: no route is steered\n" : table.text()};
} catch (const Json::exception& error) {
  return Error{std::string("read the list of nexthops: ") + error.what()};
}

}  // namespace hopwise::cli
