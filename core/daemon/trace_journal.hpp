// The traces of this daemon: the newest ones, the last whole one of each way, and when the daemon
// may begin another by itself. Pure: times are arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/model/decision.hpp"
#include "core/model/trace.hpp"

namespace hopwise {

/// What a trace says of its way, beside what was known of it.
struct TraceVerdict {
  bool reached = false;
  std::optional<IpAddress> last{};      // the farthest that answered ...
  std::uint8_t distance = 0;            // ... and how far it is; 0: nobody did
  std::optional<std::string> note{};    // what it said, where it refused
  std::optional<IpAddress> next_was{};  // who came behind it when the way was whole
  /// Where the way is another than it was, the nearest such hop: what was there, and what is.
  std::optional<std::pair<IpAddress, IpAddress>> changed{};
  std::uint8_t changed_at = 0;
  double loss = 0;  // 0..1, as far as the last that answered
};

/// `whole`: an earlier trace of the same way that reached its destination; or nullptr.
TraceVerdict judge(const Trace& trace, const std::vector<TraceHop>* whole);
/// In words: "nothing answers behind 10.1.0.2 (hop 2); 10.3.0.2 came next when the way was whole".
std::string text(const TraceVerdict& verdict);

class TraceJournal {
 public:
  static constexpr std::size_t kKept = 32;
  static constexpr std::size_t kMostAtOnce = 4;  // of those that the daemon begins by itself
  static constexpr std::size_t kWaysKept = 256;
  static constexpr Duration kBetweenCauses = std::chrono::minutes(1);       // of one nexthop
  static constexpr Duration kBetweenReferences = std::chrono::minutes(10);  // of one nexthop
  static constexpr Duration kReferencePause = std::chrono::seconds(5);      // of all
  static constexpr const char* kOperator = "operator";
  static constexpr const char* kReference = "reference";

  /// What is to be traced.
  struct Order {
    Nexthop nexthop;
    IpAddress destination;
    std::string because;
    TimePoint now;
  };

  /// A new one; its id.
  std::uint64_t begin(const Order& order);
  /// What has been found, or the error that ended it. A whole one is remembered as such.
  void note(std::uint64_t id, Trace found);

  /// Whether the daemon may trace `nexthop` for that reason now: after path_down and path_degraded,
  /// once a minute and nexthop, and a few at once.
  [[nodiscard]] bool may_ask(NexthopId nexthop, Reason reason, TimePoint now) const;
  /// Whether a trace of a calm nexthop is due, to compare later ones with: first as soon as it is
  /// calm, then every ten minutes; one at a time, and none while others run.
  [[nodiscard]] bool reference_due(NexthopId nexthop, TimePoint now) const;

  [[nodiscard]] const std::deque<Trace>& traces() const { return traces_; }  // newest last
  [[nodiscard]] const Trace* find(std::uint64_t id) const;
  [[nodiscard]] std::size_t running() const;
  [[nodiscard]] std::size_t running_by_operator() const { return running() - running_by_daemon(); }
  /// Its last whole one; nullptr when none is known.
  [[nodiscard]] const std::vector<TraceHop>* whole(NexthopId nexthop,
                                                   const IpAddress& destination) const;
  /// A nexthop is gone: its id may become another's.
  void forget(NexthopId nexthop);

 private:
  struct Begun {
    std::optional<TimePoint> cause{}, reference{};
  };
  struct Whole {
    std::uint64_t id = 0;
    std::vector<TraceHop> hops;
  };

  Trace* find_mutable(std::uint64_t id);
  [[nodiscard]] std::size_t running_by_daemon() const;
  void remember(const Trace& trace);

  std::uint64_t newest_ = 0;
  std::deque<Trace> traces_;
  std::map<std::pair<NexthopId, IpAddress>, Whole> whole_;
  std::map<NexthopId, Begun> begun_;
  std::optional<TimePoint> last_reference_;
};

}  // namespace hopwise
