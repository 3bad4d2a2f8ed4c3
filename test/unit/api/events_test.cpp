// GET /api/v1/events and GET /api/v1/groups.
#include <nlohmann/json.hpp>

#include "core/api/answer.hpp"
#include "core/api/event_json.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace hopwise::api;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

struct World {
  std::vector<EventQuery> asked{};
  std::vector<EventRecord> kept{};

  Answer get(std::string_view target) {
    Handlers handlers;
    handlers.status = example_status;
    handlers.events = [this](const EventQuery& query) {
      asked.push_back(query);
      EventPage page{{}, 99, 1, "/f"};
      for (const EventRecord& event : kept)
        if (query.accepts(event)) page.events.push_back(event);
      return page;
    };
    return answer({"GET", target, false}, handlers);
  }
};

std::string name_of(NexthopId id) {
  return raw(id) == 1 ? "isp-a" : "isp-b";
}

EventRecord record(std::uint64_t number, EventKind kind, decltype(Event::what) what) {
  return record_of(Event{number, WallTime(1s), TimePoint(97s), kind, std::move(what)}, name_of);
}

World example_world() {
  Effect effect;
  effect.group = GroupId{1};
  effect.after_ms = 23;
  Decision other = example_decision();
  other.group = GroupId{2};
  World world;
  world.kept = {record(1, EventKind::decision, example_decision()),
                record(2, EventKind::effect, EffectOf{effect, 1, Reason::path_degraded}),
                record(3, EventKind::decision, other),
                record(4, EventKind::decision, example_decision())};
  return world;
}

}  // namespace

TEST_CASE("the parameters of a question for events restrict it", "[events]") {
  World world = example_world();
  const Answer all = world.get("/api/v1/events");
  CHECK(all.status == 200);
  const auto page = json::parse(all.body);
  CHECK(page["last"] == 99);
  CHECK(page["first"] == 1);
  CHECK(page["file"] == "/f");
  REQUIRE(page["events"].size() == 4);
  CHECK(page["events"][0]["cause"] == "isp-a");
  CHECK(page["events"][0]["paths"][0]["terms"].size() == 7);
  CHECK(world.asked.back().limit == 100);

  world.get(
      "/api/v1/events?since=3&group=2&nexthop=isp-a&reason=cost&kind=effect&limit=9&within_s=60");
  const EventQuery& query = world.asked.back();
  CHECK(query.after == 3);
  CHECK(query.group == 2);
  CHECK(query.nexthop == "isp-a");
  CHECK(query.reason == Reason::cost);
  CHECK(query.kind == EventKind::effect);
  CHECK(query.limit == 9);
  CHECK(query.not_before.has_value());
}

TEST_CASE("a parameter that means nothing is an error", "[events]") {
  World world = example_world();
  for (const char* query : {"since=-1", "since=x", "group=0", "reason=whim", "kind=party",
                            "limit=0", "limit=10001", "within_s=0", "who=me", "since=1&since=2"}) {
    CAPTURE(query);
    CHECK(world.get(std::string("/api/v1/events?") + query).status == 400);
  }
  CHECK(world.get("/api/v1/groups?name=x").status == 400);
  CHECK(world.asked.empty());
}

TEST_CASE("a group is found by number or name, with its own decisions and their effects",
          "[events]") {
  World world = example_world();
  CHECK(json::parse(world.get("/api/v1/groups").body)["groups"].size() == 1);
  for (const char* id : {"1", "internet"}) {
    const auto group = json::parse(world.get(std::string("/api/v1/groups?id=") + id).body);
    CHECK(group["id"] == 1);
    CHECK(group["policy"] == "balanced");
    CHECK(group["mode"] == "steer");
    CHECK(group["margin_ratio"] == 0.2);
    CHECK(group["held"].is_null());
    CHECK(group["proof"]["lower_ms"] == 0.5);
    CHECK(group["paths"][0]["nexthop"] == "isp-a");
    CHECK(group["paths"][0]["terms"]["queue"] == 0.4);
    CHECK(group["paths"][0]["state"] == "degraded");
    CHECK(group["paths"][0]["carrier"]["capacity_from"] == "learnt");
    CHECK(group["paths"][1]["carrier"].is_null());
    REQUIRE(group["decisions"].size() == 2);
    CHECK(group["decisions"][0]["effect"]["after_ms"] == 23);
    CHECK(group["decisions"][1]["effect"].is_null());
  }
  CHECK(world.get("/api/v1/groups?id=2").status == 404);
  CHECK(world.get("/api/v1/groups?id=").status == 404);
}

TEST_CASE("wall-clock times are read as they are written", "[events]") {
  const WallTime leap =
      WallTime(std::chrono::sys_days{std::chrono::year(2028) / 2 / 29}) + 23h + 59min + 59s + 999ms;
  CHECK(wall_text(leap) == "2028-02-29T23:59:59.999Z");
  CHECK(parse_wall("2028-02-29T23:59:59.999Z") == leap);
  for (const char* bad : {"", "2027-02-29T23:59:59.999Z", "2028-02-29T23:59:59.999", "2028-02-29",
                          "2028-02-29T23:59:59.999Zx"})
    CHECK_FALSE(parse_wall(bad));
}
