// One trace under way: which distance is asked next and when, what is known of each, and when it is
// enough. Pure: times are arguments.
//
// Rounds: each asks every distance once, the nearest first, some milliseconds apart, and the next
// round begins a second later: routers answer at a limited rate (Linux: about one time exceeded a
// second and destination, six at once). Within a round probes go no farther than some silent hops
// beyond the farthest that has answered, so a trace ends there when nothing more answers; and not
// beyond the destination, or a router that says that it knows no way on. Answers that come late
// count as long as the trace lasts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/model/trace.hpp"

namespace hopwise::probes {

struct TraceOptions {
  std::uint32_t probes = 3;      // a hop, >= 1
  std::uint8_t max_hops = 30;    // >= 1
  std::uint8_t silent_hops = 5;  // in a row, until nothing more is expected beyond; >= 1
  Duration pace = std::chrono::milliseconds(10);  // between probes of one round
  Duration round = std::chrono::seconds(1);       // from the begin of one to that of the next
  Duration patience = std::chrono::seconds(1);    // for answers to a round
  /// For the last round's, where the destination has not answered: a router says only after some
  /// three seconds that it found nobody at the next address (ARP, RFC 4861).
  Duration last_patience = std::chrono::milliseconds(3500);
  Duration total = std::chrono::seconds(30);  // no trace lasts longer
};

/// What a trace has found so far.
struct Findings {
  bool ended = false;
  bool reached = false;  // the destination itself answered
  std::vector<TraceHop> hops{};
  std::optional<std::string> error{};
};

/// One answer to a probe.
struct TraceAnswer {
  enum class Kind : std::uint8_t {
    hop,          // time exceeded: the way goes on
    refusal,      // another error: it does not
    destination,  // echo reply
  };

  IpAddress from;
  Kind kind = Kind::hop;
  std::string note{};  // refusals: Quote::note()
  TimePoint at;        // when it came in
};

class Course {
 public:
  Course(const IpAddress& destination, const TraceOptions& options, TimePoint now);

  /// The distance that is to be asked now; nothing when none is.
  [[nodiscard]] std::optional<std::uint8_t> due(TimePoint now) const;
  /// A probe was sent to that distance: its number, from 0, by which the others name it.
  std::size_t sent(std::uint8_t distance, TimePoint at);
  /// The probe that was due could not be sent for the moment: later.
  void postpone(TimePoint now) { last_sent_ = now; }
  /// When it really left, where that is known better.
  void left(std::size_t probe, TimePoint at);
  /// A second answer to one probe counts nothing.
  void answered(std::size_t probe, const TraceAnswer& answer);
  /// Goes on to the next round, or ends, where it is time to.
  void turn(TimePoint now);
  /// Ends it before its time.
  void fail(const std::string& why);

  [[nodiscard]] bool ended() const { return ended_; }
  /// When to look again, at the latest: after turn().
  [[nodiscard]] TimePoint next() const;
  [[nodiscard]] Findings findings() const;

 private:
  struct Probe {
    std::uint8_t distance = 0;
    std::uint32_t round = 0;
    TimePoint sent;
    bool answered = false;
  };
  struct Hop {
    TraceHop hop;
    std::vector<Duration> totals{};  // of round trips, by answer
    bool refused = false;
  };

  Hop& hop(std::uint8_t distance);
  /// The farthest that answered says that the way ends there.
  [[nodiscard]] bool is_refused() const;
  [[nodiscard]] std::uint8_t frontier() const;
  [[nodiscard]] bool all_asked() const { return asked_ >= frontier(); }
  [[nodiscard]] bool is_waiting() const;
  [[nodiscard]] TimePoint patience_ends() const;
  [[nodiscard]] bool is_last_round() const { return round_ + 1 >= options_.probes; }

  IpAddress destination_;
  TraceOptions options_;
  TimePoint begun_;
  TimePoint round_begun_;
  TimePoint last_sent_;
  std::uint32_t round_ = 0;
  std::uint8_t asked_ = 0;            // farthest distance of this round
  std::uint8_t farthest_ = 0;         // that answered at all
  std::optional<std::uint8_t> goal_;  // distance of the destination
  bool ended_ = false;
  std::optional<std::string> error_;
  std::vector<Probe> probes_;
  std::vector<Hop> hops_;  // by distance - 1
};

}  // namespace hopwise::probes
