// Whether steering a group pays: the round-trip times and retransmissions of its steered flows
// against those of its control flows, which routing carries in the same time to the same
// destinations.
//
// Readings are gathered in batches of ten seconds, longer while the control flows are few. A batch
// yields the difference of the two sides' medians, all samples of a side counting alike, so that a
// path counts by its traffic. The gain is the mean of the last five minutes' differences, with an
// interval that allows for their autocorrelation (batch_means.hpp). Retransmissions: the difference
// of the ratios of all the window's segments, with the wider of two intervals: that of batches
// (ratio estimator, Cochran, Sampling Techniques, 6.4) and that of independent segments (Newcombe
// 1998, method 10, from Wilson's bounds).
//
// Steering *hurts* when the interval of the gain in delay lies below zero, by more than 1 ms and
// 1/32 (finer the data path's histograms do not tell), and the means say so too; or when
// that of the gain in retransmissions does, by more than half a percent. A ground does not count
// while the other surely speaks for steering, and a difference in delay that the group's
// preferences accept is none. Where it hurt for five minutes without a break the group takes
// routing's own weights: for ten minutes, twice as long each further time, a day at most, forgotten
// after a day without. Meanwhile both sides follow routing and nothing can be learnt; so it is then
// tried again.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "core/engine/batch_means.hpp"
#include "core/engine/memory.hpp"
#include "core/engine/policy.hpp"
#include "core/engine/rtt_mix.hpp"
#include "core/model/law.hpp"
#include "core/model/reading.hpp"

namespace hopwise::engine {

class Proof {
 public:
  /// Of the group: whether it may be reverted at all (`revert`, and not in dry-run), what delay its
  /// preferences accept, and whether delay counts (a policy with a price pays with it).
  void set_terms(const GroupTerms& terms);

  /// What one path, or the control flows, carried in the last second. What is impossible, or of
  /// another time than the last advance() told (older than 5 s, ahead by more than 10), is ignored.
  void observe(const PathReading& reading);
  void observe(const ControlReading& reading);

  /// Draws the conclusions, once an epoch. A time before an earlier one is ignored.
  void advance(TimePoint now);
  /// Empty while too little is known: fewer than six batches.
  [[nodiscard]] const std::optional<Gain>& gain() const { return gain_; }
  [[nodiscard]] const std::optional<LossGain>& loss_gain() const { return loss_gain_; }
  /// Steering surely hurts, or did not long ago: routing's own weights rule.
  [[nodiscard]] bool reverted(TimePoint now) const;
  /// What the newest revert rests on: "gain_ms=-6.1 upper_ms=-4.9 ... revert_s=600".
  [[nodiscard]] const std::string& evidence() const { return evidence_; }

  void remember(GroupMemory& memory, TimePoint now) const;
  /// Absurd figures are brought within bounds.
  void recall(const GroupMemory& memory, TimePoint now);

 private:
  static constexpr std::size_t kBatches = 30;
  struct Segments {
    double sent = 0;
    double again = 0;  // retransmissions
  };
  struct Side {
    RttMix rtt;
    Segments segments;
    void clear();
  };
  struct Batch {
    TimePoint end;
    bool timed = false;  // both sides had enough samples of the round-trip time
    double control_ms = 0, steered_ms = 0;
    double mean_gain_ms = 0;  // of the means
    double samples = 0;       // of the smaller side
    Segments control, steered;
  };

  [[nodiscard]] bool timely(TimePoint at, Duration over) const;
  static void gather(Side& side, const PathTraffic& traffic, const std::optional<PassiveRtt>& rtt);
  void begin_batch(TimePoint now);
  void end_batch(TimePoint now);
  void drop_old(TimePoint now);
  void estimate();
  void estimate_loss();
  [[nodiscard]] bool hurts() const;
  void judge(TimePoint now);
  void revert(TimePoint now);
  void clear();

  Side control_, steered_;              // of the open batch
  std::optional<TimePoint> batch_end_;  // when it is to end
  TimePoint batch_begin_;               // ... and when it began
  bool staggered_ = false;  // the first was longer by up to 9 s: not all groups count at once
  std::array<Batch, kBatches> batches_{};  // a ring, oldest at first_
  std::size_t first_ = 0, size_ = 0;
  std::optional<TimePoint> now_;  // of the last advance()
  std::optional<Gain> gain_;
  std::optional<MeanInterval> mean_gain_;  // of the means, milliseconds
  std::optional<LossGain> loss_gain_;
  std::optional<TimePoint> hurting_since_;
  std::optional<TimePoint> reverted_until_;  // the newest revert, over or not
  std::uint32_t reverts_ = 0;                // not forgotten yet
  std::string evidence_;
  bool may_revert_ = true;
  bool delay_counts_ = true;
  double accepted_ms_ = 0;
};

}  // namespace hopwise::engine
