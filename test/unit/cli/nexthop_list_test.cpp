#include "core/cli/nexthop_list.hpp"

#include <nlohmann/json.hpp>

#include "core/api/server.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace hopwise::cli;

namespace {

constexpr TimePoint kNow{std::chrono::seconds(100)};

GroupStatus group(std::uint32_t id, std::size_t routes,
                  const std::vector<std::tuple<std::uint32_t, std::uint32_t, double>>& paths) {
  GroupStatus status;
  status.id = GroupId{id};
  status.routes = routes;
  for (const auto& [nexthop, kernel_weight, weight] : paths) {
    PathStatus path;
    path.path = {PathId{id * 16 + nexthop}, NexthopId{nexthop}, kernel_weight};
    path.weight = weight;
    status.paths.push_back(path);
  }
  return status;
}

/// isp-a in both groups, isp-b in one, isp-c beyond routing's own; and a class of the first group.
std::string status() {
  Status status;
  status.nexthops = {example_nexthop(1, "isp-a", "192.0.2.1", "wan1"),
                     example_nexthop(2, "isp-b", "192.0.2.2", "wan2"),
                     example_nexthop(3, "isp-c", "192.0.2.3", "wan3")};
  status.nexthops[0].state = PathState::up;
  status.nexthops[0].state_since = kNow - std::chrono::seconds(90);
  status.nexthops[0].gateway_address = EthernetAddress{2, 0, 0, 0, 0xab, 1};
  status.nexthops[1].link_up = status.nexthops[1].neighbour_resolved = false;
  status.nexthops[2].bfd_down = true;
  status.groups = {group(1, 300, {{1, 1, 0.5}, {2, 1, 0.5}}),
                   group(2, 100, {{1, 1, 0.9}, {3, 0, 0.1}}),
                   group(3, 1, {{1, 1, 0.0}, {2, 1, 1.0}})};
  status.groups[2].traffic_class = "voice";
  return api::to_json(status, kNow);
}

}  // namespace

TEST_CASE("a nexthop is listed with what the groups make of it") {
  const auto list = list_nexthops(status(), "");
  REQUIRE(list.has_value());
  const auto json = nlohmann::json::parse(*list);
  const auto& nexthops = json["nexthops"];
  REQUIRE(nexthops.size() == 3);
  CHECK(nexthops[0]["neighbour_address"] == "02:00:00:00:ab:01");
  CHECK(nexthops[0]["state_age_s"] == 90.0);
  CHECK(nexthops[0]["groups"] == 3);
  CHECK(nexthops[0]["routes"] == 400);
  CHECK(nexthops[0]["weight"].get<double>() == Approx(0.6));
  CHECK(nexthops[0]["source"] == "kernel");
  CHECK(nexthops[1]["routes"] == 300);
  CHECK(nexthops[1]["state_age_s"].is_null());
  CHECK(nexthops[2]["source"] == "candidate");

  const auto text = render_nexthops(*list);
  REQUIRE(text.has_value());
  CHECK_THAT(*text, Catch::Contains("NEXTHOP  GATEWAY    INTERFACE  STATE"));
  CHECK_THAT(*text,
             Catch::Contains("90.0 s") || Catch::Contains("90 s") || Catch::Contains("1 min"));
  CHECK_THAT(*text, Catch::Contains("down      unresolved"));
  CHECK_THAT(*text, Catch::Contains("BFD down  "));
  CHECK(nexthops[2]["bfd_down"] == true);
  CHECK_THAT(*text, Catch::Contains("60.0 %  kernel"));
}

TEST_CASE("one nexthop is found by name, gateway or id; another is not") {
  for (const char* named : {"isp-b", "192.0.2.2", "2"}) {
    const auto list = list_nexthops(status(), named);
    REQUIRE(list.has_value());
    const auto json = nlohmann::json::parse(*list);
    REQUIRE(json["nexthops"].size() == 1);
    CHECK(json["nexthops"][0]["name"] == "isp-b");
  }
  const auto none = list_nexthops(status(), "isp-x");
  REQUIRE(!none.has_value());
  CHECK(none.error().message == "no nexthop \"isp-x\" (isp-a, isp-b, isp-c)");
  CHECK(!list_nexthops("{}", "").has_value());
}
