// What a path's own traffic tells of it, and the fusion of that with what its nexthop's probes
// tell. Probes see every path all the time, at few anchors; traffic sees where it goes, while it
// goes. Paths of a group carry like traffic, so what differs between their passive times is the
// paths'; what they have in common is the peers'.
//
// Of each path the median of a second is averaged (10 s), and how these medians vary gives the
// average's variance (batch means). What the group's medians lie above the probes' times in common
// (the median of the differences) is taken off. Then the two words on a path count by the inverse
// of their variances, the traffic's falling with its age. Where both are sure and disagree, by more
// than 3 deviations and more than 2 ms and 10 %, that is told, and what the users feel counts
// alone; between 2 and 4 deviations the one goes over into the other, so that nothing flaps.
// A queue is how far the median lies above the lowest p10 of ten minutes, less what all paths of
// the group have of that: the peers' spread.
//
// A path that was left for what its traffic met has no more traffic to tell it: what it surely told
// against the path, the probes' fast average included (so no lag of theirs), holds for ten minutes
// after the last word, or until the path's route changes. Else shares would go to and fro.
//
// Retransmissions are not losses (spurious ones, and those of the peers' own links), nor are ECN
// echoes queues of this path: both tell only by what a path surely has more than the others of its
// group together. Bursts count once in a few: Wilson's bounds are for what is independent.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/engine/estimator.hpp"
#include "core/engine/slot_ring.hpp"
#include "core/model/reading.hpp"

namespace hopwise::engine {

struct Fused;

class PathEvidence {
 public:
  /// False: impossible, and ignored.
  bool observe(const PathReading& reading);

  [[nodiscard]] std::optional<double> passive_ms(TimePoint now) const;     // typical, lately
  [[nodiscard]] std::optional<double> retransmitted(TimePoint now) const;  // ratio
  [[nodiscard]] std::optional<double> ece(TimePoint now) const;            // ratio

  /// The path has recovered: what was lost in the fault says nothing of it now.
  void settle() { retransmitted_ = marked_ = {}; }
  /// The route has changed: what was lowest before says nothing any more.
  void accept_step() {
    low_ms_ = SlotRing<std::optional<double>>(kBaseWindow);
    worse_.reset();
  }
  /// What fuse() has just made of it. Without a word of its own it says nothing new.
  void remember(const Fused& fused, TimePoint now);
  /// Surely so much worse than its probes say, by traffic that has fallen silent since.
  [[nodiscard]] std::optional<double> remembered_ms(TimePoint now) const;

  /// For the fusion.
  struct Delay {
    double ms = 0;
    double variance = 0;               // of that average; grows with age
    double spread_ms = 0;              // of the seconds' medians
    std::optional<double> queue_ms{};  // above the lowest p10
  };
  /// Empty before five seconds with samples, and half a minute after the last.
  [[nodiscard]] std::optional<Delay> delay(TimePoint now) const;
  /// Events of so many, of the last minute, older ones fading.
  struct Count {
    double hits = 0;
    double trials = 0;
    Count& operator+=(const Count& other) {
      hits += other.hits;
      trials += other.trials;
      return *this;
    }
  };
  [[nodiscard]] Count retransmissions(TimePoint now) const;
  [[nodiscard]] Count marks(TimePoint now) const;

 private:
  static constexpr Duration kBaseWindow = std::chrono::minutes(10);

  void average(const PassiveRtt& rtt, TimePoint at);

  struct Worse {
    double ms = 0;  // than its probes say
    TimePoint at;   // when last told
  };

  double median_ms_ = 0;
  double variance_ = 0;  // of the seconds' medians
  std::uint64_t seconds_ = 0;
  double gap_s_ = 1;  // between seconds that have samples
  std::optional<TimePoint> timed_;
  std::optional<Worse> worse_;
  SlotRing<std::optional<double>> low_ms_{kBaseWindow};  // lowest p10
  Count retransmitted_;
  Count marked_;
  std::optional<TimePoint> newest_;
};

/// A path's figures by all that is known.
struct Fused {
  std::optional<Reading> reading{};         // as a Reading of probes, corrected by the traffic's
  double base_correction_ms = 0;            // of the probes' word, in `reading`
  double passive_share = 0;                 // of the evidence on delay, 0..1
  std::optional<double> disagreement_ms{};  // the traffic's word less the probes', where it is told
  std::optional<double> lasting_ms{};       // of that, what is against the path and no lag
  std::optional<double> queue_ms{};         // by the traffic, more than on the group's best path
  std::optional<double> retransmit_excess{};  // surely so much more than the others, 0..1; it is in
                                              // reading->loss.lower as evidence of loss
  std::optional<double>
      marked_excess{};  // ECN echoes likewise: a queue on this path, of any length
};

/// Of all paths of one group at once: passive times count by their differences. Either word may be
/// missing (nullptr). A path without traffic keeps the probes' word; one without probes has the
/// traffic's, where that can be compared. `into` is filled anew, and allocates nothing once it has
/// the size. Paths after the 64th keep the probes' word.
void fuse(std::span<const PathEvidence* const> passive, std::span<const Reading* const> active,
          TimePoint now, std::vector<Fused>& into);
std::vector<Fused> fuse(std::span<const PathEvidence* const> passive,
                        std::span<const Reading* const> active, TimePoint now);

}  // namespace hopwise::engine
