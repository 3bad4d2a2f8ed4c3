#include "core/model/event.hpp"

#include <algorithm>

namespace hopwise {

std::string_view text(EventKind kind) {
  switch (kind) {
    case EventKind::decision:
      return "decision";
    case EventKind::effect:
      return "effect";
    case EventKind::nexthop:
      return "nexthop";
    case EventKind::reload:
      return "reload";
    case EventKind::start:
      return "start";
    case EventKind::stop:
      return "stop";
    case EventKind::speaker:
      return "speaker";
  }
  return "unknown";
}

namespace {

template <class Enum>
std::optional<Enum> named(std::string_view name) {
  for (Enum value{}; text(value) != "unknown"; value = static_cast<Enum>(int(value) + 1))
    if (text(value) == name) return value;
  return std::nullopt;
}

}  // namespace

std::optional<EventKind> event_kind_named(std::string_view name) {
  return named<EventKind>(name);
}

std::optional<Reason> reason_named(std::string_view name) {
  return named<Reason>(name);
}

bool EventQuery::accepts(const EventRecord& record) const {
  return record.sequence > after && (!not_before || record.wall >= *not_before) &&
         (!group || (record.group && raw(*record.group) == *group)) &&
         (!reason || record.reason == reason) && (!kind || record.kind == *kind) &&
         (nexthop.empty() || std::ranges::find(record.nexthops, nexthop) != record.nexthops.end());
}

}  // namespace hopwise
