// What hopwise did and saw: decisions with their inputs, what became of them, nexthops that change
// state, reloads, starts and stops. Each becomes one event, numbered on and on over restarts, kept
// in memory (the newest 4 MB of text) and appended to the history's file.
//
// Promises: the control loop neither fails nor waits for the history's sake. A thread of its own
// writes the file; one that cannot be written is told once in the log, events go on in memory, and
// it is tried again every second. Whoever was shown an event finds it in the file, also after a
// SIGKILL, unless the disk hangs: page() has it written, and gives that kPatience before it
// answers.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>

#include "core/api/event_json.hpp"
#include "core/config/config.hpp"
#include "core/daemon/history_file.hpp"
#include "core/daemon/log.hpp"
#include "core/model/event.hpp"

namespace hopwise {

/// Of the present run, as values: what the status counts and shows.
struct Journal {
  TimePoint started;
  std::deque<Decision> recent;  // newest last, at most kRecent
  std::map<Reason, std::uint64_t> by_reason;
  std::uint64_t reloads = 0;
  std::uint64_t reload_failures = 0;

  static constexpr std::size_t kRecent = 200;
};

class History {
 public:
  struct Parts {
    Log& log;
    api::NameOf name;  // of a nexthop, now
    std::function<TimePoint()> now;
    std::function<WallTime()> wall;
  };

  /// Takes up what earlier runs left in the file. Where another hopwise writes it, events are kept
  /// in memory alone until reconfigure() names another file: they would not be told from its own.
  History(Parts parts, const config::History& options);
  ~History();
  void reconfigure(const config::History& options);

  void started(const std::string& detail);
  void stopping(const std::string& detail);
  void reloaded(const std::string& detail);
  void reload_failed(const std::string& detail);
  /// Of the routing daemon beside us; `notice.failed` where something is wrong with it.
  void speaker_told(const Notice& notice);
  void decided(const Decision& decision);
  void took_effect(const Effect& effect);
  /// An event when it is another state than the last one told.
  void saw(NexthopId id, PathState state);
  void forget(NexthopId id) { states_.erase(id); }
  /// Since when it is in the state that was told last.
  [[nodiscard]] std::optional<TimePoint> state_since(NexthopId id) const;

  /// Has what waits written, and hears how it went the last time; once a second.
  void flush();
  /// Has it written, and waits: at most so long. True: all of it is written, or cannot be.
  bool flush_within(std::chrono::milliseconds patience);

  /// Has what waits written first.
  [[nodiscard]] EventPage page(const EventQuery& query);
  [[nodiscard]] HistoryStatus status() const;
  [[nodiscard]] const Journal& journal() const { return journal_; }

  static constexpr auto kPatience = std::chrono::milliseconds(20);

 private:
  static constexpr std::size_t kMostKept = 4 << 20;  // bytes of text
  static constexpr std::size_t kWriteAt = std::size_t{64} * 1024;
  static constexpr std::size_t kDecisionsKnown = 1000;

  using What = decltype(Event::what);

  void open(const config::History& options);
  bool take_file(const config::History& options);
  void begin_write();
  bool hear(std::chrono::milliseconds patience);
  void wait_and_hear();
  void wrote(const Result<>& written);
  void append(const std::string& json);
  void take_up(const std::string& file, std::uint64_t size);
  std::uint64_t record(EventKind kind, What what);
  void keep(EventRecord record);

  struct Told {
    std::uint64_t event = 0;
    Reason reason = Reason::initial;
  };

  Parts parts_;
  config::History options_;
  // Null: in memory alone. While a write is under way it is the writing thread's, and what happens
  // meanwhile waits here.
  std::unique_ptr<HistoryFile> file_;
  std::future<Result<>> under_way_;
  std::deque<std::string> meanwhile_;
  std::size_t meanwhile_bytes_ = 0;
  std::deque<EventRecord> kept_;
  std::size_t kept_bytes_ = 0;
  std::map<std::uint64_t, Told> decisions_;  // by the engine's number
  struct StateSeen {
    PathState state;
    TimePoint since;
  };
  std::map<NexthopId, StateSeen> states_;
  Journal journal_;
  HistoryStatus status_;
  boost::asio::thread_pool writer_{1};
};

}  // namespace hopwise
