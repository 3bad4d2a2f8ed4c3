// The probes from one nexthop to one anchor: which are out, which are answered, lost or late, and
// when the next is due. Pure: time and chance are arguments.
//
// The last probes stand in a ring, found by sequence. Deadlines are counted with the timeout of the
// moment, so they fall due in the order of sending and only the oldest is watched. A loss is
// provisional: the probe stays in the ring, and its reply, when it comes within late_within, takes
// the loss back.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/model/sample.hpp"
#include "probes/options.hpp"
#include "probes/schedule/pace.hpp"

namespace hopwise::probes {

/// What became of a probe.
struct Verdict {
  Outcome outcome = Outcome::reply;
  TimePoint sent;
  Duration rtt{};
};

class Stream {
 public:
  struct Counters {
    std::uint64_t sent = 0;  // probes that may yield a sample
    std::uint64_t received = 0;
    std::uint64_t lost = 0;
    std::uint64_t late = 0;
    std::uint64_t duplicate = 0;
    std::uint64_t unsent = 0;
  };

  /// Not ready; the first probe is due at once.
  Stream(const Options& options, TimePoint now);

  /// The sequence of the next probe.
  [[nodiscard]] std::uint32_t sequence() const { return next_; }
  /// That probe left, or could not be sent. `unit` is random in [0, 1).
  void sent(TimePoint at, double unit);
  void unsent(TimePoint at, double unit);

  /// A reply to `sequence` came in at `arrived`. Nothing when it tells nothing: a duplicate, too
  /// late, or a void probe.
  std::optional<Verdict> reply(std::uint32_t sequence, TimePoint arrived);
  /// Whether a deadline has passed: read all replies, then call overdue() until it gives nothing.
  [[nodiscard]] bool is_overdue(TimePoint now) const;
  /// The oldest probe that is lost by now.
  std::optional<Verdict> overdue(TimePoint now);

  /// Probes are sent, but yield samples only while ready. Those that are out become void.
  void set_ready(bool ready, TimePoint now);
  /// Probe faster until told otherwise, whatever the probes say.
  void set_suspicious(bool suspicious, TimePoint now);
  /// This host slept: probes that are out get that much longer.
  void forgive(Duration stall);
  /// This host lost replies: of the probes that are out nothing can be said.
  void void_outstanding();
  void reconfigure(const Options& options);

  [[nodiscard]] TimePoint next_send() const { return next_send_; }
  /// When something is to be done: a probe to be sent or a deadline to be judged.
  [[nodiscard]] TimePoint due() const;
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool suspicious(TimePoint now) const;
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  enum class State : std::uint8_t { none, pending, answered, lost };
  struct Probe {
    std::uint32_t sequence = 0;
    State state = State::none;
    TimePoint sent;
    TimePoint waiting_since;  // `sent`, later by the stalls of this host
  };

  Probe& at(std::uint32_t sequence) { return ring_[sequence & (ring_.size() - 1)]; }
  [[nodiscard]] const Probe& at(std::uint32_t sequence) const {
    return ring_[sequence & (ring_.size() - 1)];
  }
  void skip_settled();
  void suspect(TimePoint now, TimePoint next_probe);
  void schedule(TimePoint from, double unit);
  [[nodiscard]] TimePoint deadline(const Probe& probe) const;

  Options options_;
  RoundTrip round_trip_;
  std::vector<Probe> ring_;     // its size is a power of two
  std::uint32_t next_ = 0;      // sequence of the next probe
  std::uint32_t unjudged_ = 0;  // the oldest that is pending; next_ when none is
  TimePoint next_send_;
  TimePoint suspicious_until_;
  bool held_suspicious_ = false;
  bool ready_ = false;
  Counters counters_;
};

}  // namespace hopwise::probes
