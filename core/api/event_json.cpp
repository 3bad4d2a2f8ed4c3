#include "core/api/event_json.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "core/api/law_json.hpp"
#include "core/model/format.hpp"

namespace hopwise::api {
namespace {

using Json = nlohmann::ordered_json;

Json or_null(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

// Each adds its keys to the event, and to the record what it may be chosen by.
struct Writer {
  Json& json;
  EventRecord& record;
  const NameOf& name;

  std::string named(NexthopId id) const {
    std::string called = name(id);
    if (std::ranges::find(record.nexthops, called) == record.nexthops.end())
      record.nexthops.push_back(called);
    return called;
  }

  void operator()(const Notice& notice) const {
    if (record.kind == EventKind::reload) json["result"] = notice.failed ? "failure" : "success";
    if (record.kind == EventKind::speaker) json["trouble"] = notice.failed;
    json["detail"] = notice.detail;
  }

  void operator()(const NexthopChange& change) const {
    json["nexthop"] = named(change.nexthop);
    json["before"] = text(change.before);
    json["after"] = text(change.after);
  }

  void operator()(const Decision& decision) const {
    record.group = decision.group;
    record.reason = decision.reason;
    json["group"] = raw(decision.group);
    json["decision"] = decision.id;
    json["reason"] = text(decision.reason);
    json["cause"] = decision.cause ? Json(named(*decision.cause)) : Json(nullptr);
    json["evidence"] = decision.evidence;
    Json& paths = json["paths"] = Json::array();
    for (const PathShare& share : decision.paths)
      paths.push_back({{"nexthop", named(share.nexthop)},
                       {"before", share.before},
                       {"after", share.after},
                       {"usable", share.usable},
                       {"candidate", share.candidate},
                       {"state", text(share.state)},
                       {"cost", share.cost},
                       {"terms", describe(share.terms)},
                       {"predicted", describe(share.predicted)}});
  }

  void operator()(const EffectOf& of) const {
    const Effect& effect = of.effect;
    record.group = effect.group;
    record.reason = of.reason;
    record.of = of.event;
    json["group"] = raw(effect.group);
    json["decision"] = effect.decision;
    json["of"] = of.event ? Json(*of.event) : Json(nullptr);
    json["reason"] = of.reason ? Json(text(*of.reason)) : Json(nullptr);
    json["before_ms"] = or_null(effect.before_ms);
    json["after_ms"] = or_null(effect.after_ms);
    Json& paths = json["paths"] = Json::array();
    for (const Effect::OfPath& path : effect.paths)
      paths.push_back({{"nexthop", named(path.nexthop)},
                       {"predicted", describe(path.predicted)},
                       {"realised", describe(path.realised)},
                       {"loss_ratio", path.loss}});
  }
};

void collect_names(const Json& json, std::vector<std::string>& names) {
  const auto add = [&](const Json& holder, const char* key) {
    const auto found = holder.find(key);
    if (found == holder.end() || !found->is_string()) return;
    if (const std::string name = *found; std::ranges::find(names, name) == names.end())
      names.push_back(name);
  };
  add(json, "nexthop");
  add(json, "cause");
  if (const auto paths = json.find("paths"); paths != json.end())
    for (const Json& path : *paths) add(path, "nexthop");
}

}  // namespace

std::string wall_text(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const std::time_t t = whole.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&t, &parts);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
  return format("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(ms));
}

std::optional<WallTime> parse_wall(std::string_view text) {
  const std::string copy(text);
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0, end = 0;
  const int found = std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day,
                                &hour, &minute, &second, &ms, &end);
  if (found != 7 || static_cast<std::size_t>(end) != copy.size()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + std::chrono::seconds(second) +
         std::chrono::milliseconds(ms);
}

EventRecord record_of(const Event& event, const NameOf& name) {
  EventRecord record;
  record.sequence = event.sequence;
  record.wall = event.wall;
  record.kind = event.kind;
  Json json{{"seq", event.sequence},
            {"time", wall_text(event.wall)},
            {"at_s", seconds(event.at.time_since_epoch())},
            {"kind", text(event.kind)}};
  std::visit(Writer{json, record, name}, event.what);
  record.json = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return record;
}

std::optional<EventRecord> read_event(std::string_view line) {
  try {
    const Json json = Json::parse(line);
    EventRecord record;
    record.sequence = json.at("seq").get<std::uint64_t>();
    const auto wall = parse_wall(json.at("time").get<std::string>());
    const auto kind = event_kind_named(json.at("kind").get<std::string>());
    if (!wall || !kind || record.sequence == 0) return std::nullopt;
    record.wall = *wall;
    record.kind = *kind;
    if (const auto group = json.find("group"); group != json.end())
      record.group = GroupId{group->get<std::uint32_t>()};
    if (const auto of = json.find("of"); of != json.end() && !of->is_null())
      record.of = of->get<std::uint64_t>();
    if (const auto reason = json.find("reason"); reason != json.end() && !reason->is_null())
      record.reason = reason_named(reason->get<std::string>());
    collect_names(json, record.nexthops);
    record.json = line;
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::string to_json(const EventPage& page) {
  std::string all =
      "{\"last\":" + std::to_string(page.last) + ",\"first\":" + std::to_string(page.first) +
      ",\"file\":" + Json(page.file).dump(-1, ' ', false, Json::error_handler_t::replace) +
      ",\"events\":[";
  for (const EventRecord& event : page.events)
    all.append(&event == &page.events.front() ? "\n" : ",\n").append(event.json);
  return all + "]}\n";
}

}  // namespace hopwise::api
