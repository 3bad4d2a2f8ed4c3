// The probes from one nexthop to one anchor: which are out, which are answered, lost, late or void,
// and when the next is due. Pure: time and chance are arguments.
//
// The last probes stand in a ring, found by sequence, 16 bytes each. Deadlines are counted with the
// timeout of the moment, so they fall due in the order of sending and only the oldest is watched. A
// loss is provisional: the probe stays in the ring, and its reply, when it comes within
// late_within, takes the loss back. The ring is small while probes are answered, and doubles when
// one that may still be answered would have to leave it.
//
// A probe is void when nothing can be concluded from it: this host may have lost it or its reply
// itself, or it did not leave by the nexthop. Whether the interface confirms what leaves is learnt
// from the first probe that it confirms, and unlearnt from one that is answered without, or when
// nothing leaves for seconds: who cannot send has lost the path, and must not go on knowing
// nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/model/sample.hpp"
#include "core/model/status.hpp"
#include "probes/options.hpp"
#include "probes/schedule/budget.hpp"
#include "probes/schedule/local_wait.hpp"
#include "probes/schedule/pace.hpp"

namespace hopwise::probes {

/// What became of a probe.
struct Verdict {
  Outcome outcome = Outcome::reply;
  TimePoint sent;  // handed to the interface
  Duration rtt{};
  TimestampSource source = TimestampSource::user;
  std::uint8_t flow = 0;
  Duration queued{};
  std::uint32_t sequence = 0;
};

/// A probe has left this host: by what its interface says.
struct Egress {
  enum class Proof : std::uint8_t {
    none,     // it does not tell by which gateway
    proved,   // by the nexthop
    strayed,  // not by it
  };
  std::optional<TimePoint> at;       // handed to the driver; empty: cannot be told
  std::optional<Duration> queued{};  // before that, in the interface's queue; empty: not asked for
  Proof proof = Proof::none;
  bool driver_tells = false;  // the driver's stamp alone would have proved it
};

struct Arrival {
  TimePoint at;
  TimestampSource source = TimestampSource::user;
  Duration turnaround{};  // the anchor's own time between hearing and answering
};

/// What all streams of a prober go by.
struct Pacing {
  Options options;
  Paces paces{options.interval, options.suspicious_interval};  // as the budget stretches them
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
    std::uint64_t stale = 0;   // replies beyond late_within, or to void probes
    std::uint64_t forged = 0;  // replies to probes that were never sent
    std::uint64_t proved = 0;
    std::uint64_t kernel_stamped = 0;  // of the replies
    std::array<std::uint64_t, kVoids> voids{};
  };

  /// Not ready; the first probe is due at once. `pacing` must outlive it.
  Stream(const Pacing& pacing, TimePoint now);

  /// Of the next probe: its sequence, and which of the pinned flows it takes.
  [[nodiscard]] std::uint32_t sequence() const { return next_; }
  [[nodiscard]] std::uint8_t flow() const { return flow(next_); }
  [[nodiscard]] std::uint8_t flow(std::uint32_t sequence) const {
    return static_cast<std::uint8_t>(sequence % flows_.size());
  }
  /// Whether it is to ask for its wait in the interface's queue.
  [[nodiscard]] bool asks_wait() const { return local_wait_.asks(next_); }
  /// That probe was handed to the kernel, or could not be. `unit` is random in [0, 1).
  void sent(TimePoint at, double unit);
  void unsent(TimePoint at, double unit);
  /// It may not be sent yet: the budget is spent.
  void postpone(TimePoint until) { next_send_ = until; }

  /// The pace may have become shorter than the one by which the next probe was scheduled.
  void repace();

  /// That probe left the host. Before its reply, if both are known.
  void left(std::uint32_t sequence, const Egress& departure);
  /// A reply to `sequence` came in. Nothing when it tells nothing: a duplicate, too late, to a void
  /// probe, forged.
  std::optional<Verdict> reply(std::uint32_t sequence, const Arrival& arrival);
  /// Whether that probe is out: neither answered nor judged.
  [[nodiscard]] bool waits_for(std::uint32_t sequence) const;
  /// Whether a deadline has passed: read all replies, then call overdue() until it gives nothing.
  [[nodiscard]] bool is_overdue(TimePoint now) const;
  /// The oldest probe that is lost by now. Void instead are those that never left, and those sent
  /// before `dropped`, when this host last dropped replies.
  std::optional<Verdict> overdue(TimePoint now, std::optional<TimePoint> dropped = {});

  /// Probes are sent, but yield samples only while ready. Those that are out become void.
  void set_ready(bool ready, TimePoint now);
  /// Probe faster until told otherwise, whatever the probes say.
  void set_suspicious(bool suspicious, TimePoint now);
  /// This host slept: probes that are out get that much longer.
  void forgive(Duration stall);
  /// Of the probes that are out nothing can be said.
  void void_outstanding(Void why);

  [[nodiscard]] TimePoint next_send() const { return next_send_; }
  /// When something is to be done: a probe to be sent or a deadline to be judged.
  [[nodiscard]] TimePoint due() const;
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool suspicious(TimePoint now) const;
  /// Whether the next probe was scheduled at the suspicious pace.
  [[nodiscard]] bool fast() const { return fast_; }
  [[nodiscard]] bool has_outstanding() const { return unjudged_ != next_; }
  /// Whether the interface confirms what leaves.
  [[nodiscard]] bool confirmed() const { return confirmed_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::optional<Duration> rtt() const { return round_trip_.smoothed(); }
  [[nodiscard]] const std::vector<ProbeFlow>& flows() const { return flows_; }
  [[nodiscard]] std::size_t remembered() const { return ring_.size(); }

 private:
  enum class State : std::uint8_t { none, pending, answered, lost, voided };
  /// By the interface, of a probe: `stamped` when the kernel's time is in `sent`.
  enum class Told : std::uint8_t { nothing, left, stamped };
  struct Probe {
    TimePoint sent;               // handed to the interface; until it left: to the kernel
    std::uint32_t queued_ns = 0;  // before the driver; at most 4.29 s
    std::uint16_t forgiven_ms = 0;
    State state = State::none;
    Told told = Told::nothing;
  };
  static_assert(sizeof(Probe) == 16);

  Probe& at(std::uint32_t sequence) { return ring_[sequence & (ring_.size() - 1)]; }
  [[nodiscard]] const Probe& at(std::uint32_t sequence) const {
    return ring_[sequence & (ring_.size() - 1)];
  }
  /// Sent, and still in the ring.
  [[nodiscard]] bool remembers(std::uint32_t sequence) const;
  void make_room(TimePoint now);
  void make_void(Probe& probe, Void why);
  bool held_back(const Probe& overdue);
  void skip_settled();
  void suspect(TimePoint now, TimePoint next_probe);
  void schedule(TimePoint from, double unit);
  [[nodiscard]] Duration pause() const;
  void learn(std::uint32_t sequence, Duration rtt, const Arrival& arrival);
  [[nodiscard]] TimePoint deadline(const Probe& probe) const;

  const Pacing* pacing_;
  RoundTrip round_trip_;
  LocalWait local_wait_;
  std::vector<Probe> ring_;  // its size is a power of two
  std::vector<ProbeFlow> flows_;
  std::uint32_t next_ = 0;      // sequence of the next probe
  std::uint32_t unjudged_ = 0;  // the oldest that is pending; next_ when none is
  TimePoint next_send_;
  TimePoint paced_from_;  // the next probe is scheduled from then on ...
  double unit_ = 0;       // ... by this chance
  TimePoint suspicious_until_;
  TimePoint heard_;  // when the newest reply came; else since when it is waited for
  bool held_suspicious_ = false;
  bool ready_ = false;
  bool fast_ = false;
  bool confirmed_ = false;
  std::uint32_t unconfirmed_ = 0;  // probes in a row that the interface did not confirm ...
  TimePoint unconfirmed_since_;    // ... the first of which was sent then
  Counters counters_;
};

}  // namespace hopwise::probes
