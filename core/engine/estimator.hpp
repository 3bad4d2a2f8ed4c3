// What the probes to one anchor through one nexthop say: delay, its base, jitter, loss, silence.
//
// Averages are EWMAs over real time, alpha = 1 - exp(-dt/tau), so that a change of pace changes
// nothing: a fast one follows the path, a slow one feeds the scores and sees spikes clipped. The
// base is the lowest RTT of a sliding window. Loss is counted by the time a probe left, so a late
// reply takes back exactly the loss it belongs to, and is judged by Wilson's bounds, never by the
// raw ratio, and by sequential tests, which are quicker (loss_test.hpp, delay_test.hpp). Probes of
// one anchor take turns in pinned flows, which ECMP may lead different ways: whether the delay is
// well is asked of the median over flows, so that one slow flow of several does not look like a
// step that never ends. A probe is *silent* when it left after the path was last heard and was
// lost: only silence makes a black hole; replies that come later than their deadline do not.
#pragma once

#include <array>
#include <optional>

#include "core/engine/base_step.hpp"
#include "core/engine/delay_test.hpp"
#include "core/engine/engine.hpp"
#include "core/engine/loss_test.hpp"
#include "core/engine/onset.hpp"
#include "core/engine/slot_ring.hpp"

namespace hopwise::engine {

struct Interval {
  double lower = 0;
  double upper = 1;
};

/// Wilson's score interval (1927) of a ratio, from `hits` in `trials`, at `z` standard deviations.
Interval wilson(double hits, double trials, double z);

struct LossCount {
  std::uint32_t lost = 0;
  std::uint32_t missed = 0;  // deadlines: losses, and late replies that took theirs back
  std::uint32_t sent = 0;
  std::uint32_t spells = 0;  // losses, but of those within 100 ms only the first
};

/// An anchor's figures for the cost functions. Known only after a few replies.
struct Reading {
  double rtt_ms = 0;      // slow average
  double recent_ms = 0;   // median of the last few
  double base_ms = 0;     // lowest of the base window
  double jitter_ms = 0;   // mean deviation
  Interval loss;          // 99 % bounds of the score window's ratio
  double alarm_loss = 0;  // 95 % lower bound of the short window's
  double samples = 1;     // independent ones in the slow average
  double step_ms = 0;     // the way itself looks longer by this than the base: BaseStep

  [[nodiscard]] double queue_ms() const { return recent_ms - base_ms; }  // as it is now
};

class Estimator {
 public:
  explicit Estimator(const Options& options);

  /// False: the sample is impossible (time runs back, an RTT that is none or over a minute, an
  /// outcome known before the probe left or two minutes after) and was ignored.
  bool observe(const Sample& sample);
  /// Windows start anew at their new lengths; averages and base stay.
  void reconfigure(const Options& options);

  /// Remembers what is normal, for as long as the path is degraded.
  void freeze();
  /// The path recovered: losses and averages of the fault are forgotten.
  void settle();
  /// The route has changed: what is lowest of late is the base from now on. Nothing happens while
  /// Reading::step_ms is 0.
  void accept_step();
  /// Counts of consecutive outcomes start anew (the link was away).
  void forget_streaks();

  /// The lowest RTT of the base window, and how long ago it was measured.
  struct Base {
    double rtt_ms = 0;
    Duration age{};
  };
  [[nodiscard]] std::optional<Base> base(TimePoint now) const;
  /// One of an earlier run: it expires as it would have. False: it has, or it is impossible.
  bool recall(const Base& base, TimePoint now);

  [[nodiscard]] Estimate estimate() const;
  [[nodiscard]] const std::optional<Reading>& reading() const { return conclusions().reading; }

  /// No sample for ten times the usual gap: nothing may be concluded.
  [[nodiscard]] bool stale(TimePoint now) const;
  [[nodiscard]] bool heard() const { return heard_.has_value(); }
  /// More consecutive silent probes than the path's own loss explains.
  [[nodiscard]] bool silent() const { return conclusions().silent; }
  /// Delay is clearly and steadily above the base.
  [[nodiscard]] bool stepped() const { return conclusions().stepped; }
  /// How the delay rose to where it is, once it has stepped.
  [[nodiscard]] std::optional<Climb> climb() const;
  /// Certainly over the limit of loss: by the sequential test, or by the loss window.
  [[nodiscard]] bool lossy() const { return conclusions().lossy; }
  [[nodiscard]] const LossTest& loss_test() const { return loss_test_; }
  /// Probes a second, at the present pace.
  [[nodiscard]] double rate() const { return 1 / std::max(gap_s_, 1e-3); }
  /// Time between samples while all is well, in seconds: the paces of anchors compare by it.
  [[nodiscard]] double usual_gap() const { return usual_gap_s_ > 0 ? usual_gap_s_ : gap_s_; }
  /// Milliseconds that the delay surely lies above its usual.
  [[nodiscard]] std::optional<double> shift() const { return delay_test_.shift(); }
  /// Of the probes that left at `since` or later: are their losses certainly over the limit ...
  [[nodiscard]] bool lossy_since(TimePoint since) const;
  /// ... and how far above the base are the last few; empty while those are older.
  [[nodiscard]] std::optional<double> queue_since(TimePoint since) const;
  [[nodiscard]] bool calm() const;  // loss is certainly under its limit again
  [[nodiscard]] bool suspicious() const { return silent_ > 0 || high_; }
  [[nodiscard]] std::uint32_t silent_probes() const { return silent_; }
  [[nodiscard]] std::uint32_t answered() const { return answered_; }  // in time, one after another
  [[nodiscard]] std::uint32_t good() const { return good_; }  // of those, also back near the base
  /// When the first probe left that shows the present silence or step.
  [[nodiscard]] TimePoint trouble_since() const;
  [[nodiscard]] TimePoint newest_heard_sent() const { return newest_heard_sent_; }
  [[nodiscard]] TimePoint newest_good_sent() const { return newest_good_sent_; }
  [[nodiscard]] TimePoint newest_late_sent() const { return newest_late_sent_; }
  [[nodiscard]] LossCount losses() const;  // of the loss window

 private:
  static constexpr std::size_t kRecent = 5;
  struct Recent {
    double rtt_ms = 0;
    TimePoint sent;
  };
  struct FlowRtt {
    double rtt_ms = 0;
    std::optional<TimePoint> known{};
  };
  struct Normal {
    double rtt_ms = 0;
    double jitter_ms = 0;
  };

  // What follows from the samples, drawn once after each: it is asked far more often than samples
  // come, by every decision on any nexthop.
  struct Conclusions {
    bool silent = false;
    bool stepped = false;
    bool lossy = false;
    std::optional<Reading> reading;
  };
  [[nodiscard]] const Conclusions& conclusions() const;
  [[nodiscard]] bool is_silent() const;
  [[nodiscard]] bool is_stepped() const;
  [[nodiscard]] bool is_lossy() const;
  [[nodiscard]] std::optional<Reading> read() const;

  void pace(TimePoint known);
  void count(TimePoint sent, std::uint32_t lost);
  void take_back(TimePoint sent);
  void measure(const Sample& sample, TimePoint known);
  void average(double rtt_ms, Duration gap);
  [[nodiscard]] double typical_ms(const Sample& sample, TimePoint known);
  [[nodiscard]] double base_ms() const;
  [[nodiscard]] double median_recent() const;
  [[nodiscard]] bool outlasts_a_burst() const;
  [[nodiscard]] double step_limit() const;    // above: the delay has stepped up
  [[nodiscard]] double settle_limit() const;  // below: it is back
  [[nodiscard]] double normal_limit(double deviations) const;

  const Options* options_;
  SlotRing<LossCount> loss_;
  SlotRing<LossCount> score_loss_;
  SlotRing<std::optional<double>> base_;
  std::array<Recent, kRecent> recent_{};
  std::uint64_t replies_ = 0;  // late ones too; the averages' start is weighed by it
  double fast_ms_ = 0;
  double slow_ms_ = 0;
  double jitter_ms_ = 0;
  LossTest loss_test_;
  DelayTest delay_test_;
  BaseStep base_step_;
  OnsetTest onset_;
  std::array<FlowRtt, 16> flows_{};  // newest of each pinned flow
  double gap_s_ = 0;                 // time between samples, smoothed
  double usual_gap_s_ = 0;           // the same while all is well, slow to shrink
  std::optional<TimePoint> spell_;   // when the first of the newest losses left
  std::optional<Normal> normal_;
  std::optional<TimePoint> newest_;  // any sample's `known`
  std::optional<TimePoint> heard_;   // a reply's or late reply's `known`
  std::uint32_t silent_ = 0;
  TimePoint silent_since_;
  std::uint32_t answered_ = 0;
  std::uint32_t good_ = 0;
  bool high_ = false;  // the newest RTT, over flows, was above step_limit()
  TimePoint newest_heard_sent_;
  TimePoint newest_good_sent_;
  TimePoint newest_late_sent_;
  mutable std::optional<Conclusions> conclusions_;  // empty: to be drawn
};

}  // namespace hopwise::engine
