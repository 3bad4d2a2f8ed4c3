// What hopwise did and saw, one event each, as its history keeps it: while it happens an Event,
// once written an EventRecord, which is the same as text with the figures to choose it by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/model/decision.hpp"
#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise {

enum class EventKind : std::uint8_t {
  decision,  // weights changed, or a hold was told
  effect,    // what became of a decision
  nexthop,   // a nexthop's state changed
  reload,    // the configuration was read again, with success or not
  start,     // of the daemon
  stop,      // of the daemon, when it was told to
  speaker,   // the routing daemon beside us: dead, alive, or in disagreement with the kernel
};
std::string_view text(EventKind kind);
std::optional<EventKind> event_kind_named(std::string_view name);
std::optional<Reason> reason_named(std::string_view name);

/// An effect with the decision that it belongs to: its event's number and its reason, where they
/// are still known.
struct EffectOf {
  Effect effect;
  std::optional<std::uint64_t> event{};
  std::optional<Reason> reason{};
};

struct NexthopChange {
  NexthopId nexthop{};
  PathState before = PathState::probation;
  PathState after = PathState::probation;
};

/// Of a reload, a start, a stop or the routing daemon, in words.
struct Notice {
  std::string detail;
  bool failed = false;
};

struct Event {
  std::uint64_t sequence = 0;  // from 1, on and on over restarts
  WallTime wall{};             // for people; may step
  TimePoint at;                // for arithmetic; begins anew with the machine
  EventKind kind = EventKind::start;
  std::variant<Notice, Decision, EffectOf, NexthopChange> what{};
};

struct EventRecord {
  std::uint64_t sequence = 0;
  WallTime wall{};
  EventKind kind = EventKind::start;
  std::optional<GroupId> group{};
  std::optional<Reason> reason{};
  std::optional<std::uint64_t> of{};    // an effect's decision, by its event's number
  std::vector<std::string> nexthops{};  // names of all that it speaks of
  std::string json;                     // one line: core/api/README.md lists the keys
};

/// Which events. What is empty restricts nothing.
struct EventQuery {
  std::uint64_t after = 0;               // newer than this number
  std::optional<WallTime> not_before{};  // by the wall clock
  std::optional<std::uint32_t> group{};
  std::string nexthop{};  // a name
  std::optional<Reason> reason{};
  std::optional<EventKind> kind{};
  std::size_t limit = 100;  // the newest of them

  [[nodiscard]] bool accepts(const EventRecord& record) const;
};

/// How the history fares.
struct HistoryStatus {
  std::string file{};         // "": in memory alone, as configured
  std::string trouble{};      // why nothing is written now; "": it is
  std::uint64_t last = 0;     // number of the newest event
  std::uint64_t events = 0;   // since the start
  std::uint64_t dropped = 0;  // that were never written, for the disk would not take them
  std::uint64_t corrupt = 0;  // records of the file that were damaged when it was read
  std::uint64_t write_failures = 0;
};

/// Part of the history, oldest first.
struct EventPage {
  std::vector<EventRecord> events{};
  std::uint64_t last = 0;   // number of the newest event that there is, whatever was asked for
  std::uint64_t first = 0;  // and of the oldest that is kept in memory; 0: none
  std::string file{};       // where older ones may stand; "": nowhere
};

}  // namespace hopwise
