// Events as JSON, one line each: in the history's file as in the API's answers (README.md lists
// the keys). Nexthops stand there by name, so that a line means the same after a restart.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/model/event.hpp"

namespace hopwise::api {

using NameOf = std::function<std::string(NexthopId)>;

/// Written and indexed at once.
EventRecord record_of(const Event& event, const NameOf& name);
/// Of a line that was written before; empty where it is no event.
std::optional<EventRecord> read_event(std::string_view line);

/// {"events": [...], "last": 17, "first": 3, "file": "..."}.
std::string to_json(const EventPage& page);

/// "2026-11-22T06:17:32.123Z".
std::string wall_text(WallTime time);
std::optional<WallTime> parse_wall(std::string_view text);

}  // namespace hopwise::api
