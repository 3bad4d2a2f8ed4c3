// A nexthop as a carrier of traffic: what it can carry, what it carries, and what of that is ours.
//
// Capacity is what was told, or what was learnt. An exact word (the operator's, the link's) is
// never exceeded, even where more is carried cleanly: it may be meant; utilisation then tells. But
// the truth may be less (a fast link to a slow modem), so from below it is learnt all the same:
//
// - Cut, when a queue surely stands (over 15 ms), or at a high load packets are surely lost, while
//   more than half of the load is our own: to 0.95 of what was thought or of what was carried,
//   whichever is less. Then nothing for 10 s and the time in which 5 % less drains such a queue
//   (for losses: 15 s, most of the window they are counted in), and nothing while it drains. Never
//   below 0.85 of what came through meanwhile: a greedy flow keeps a queue at any load, and what
//   came through was carried. More than is known to fit in makes a queue that tells nothing new.
// - What flows, at once, where such a queue has come little by little on a path that carries much
//   of ours (fill(), group_yield.cpp): 0.95 of it when it comes again within ten minutes.
// - Where the load gives no reason for a queue (well below the capacity as known, and no more than
//   was lately carried cleanly) the way itself may have become longer. Such a queue only leaves a
//   suspicion. If the queue goes as the load does, while much of it still flows, then what flows is
//   taken for learnt; the suspicion is dropped if the queue outlives the load.
// - Raised at once to what is carried for ten clean seconds; grown by 0.5 % a minute while clean
//   and loaded near it, twice as fast after each further ten clean minutes, up to 4 %: a path that
//   was slow for an hour must not be taken for slow all day.
// - Somebody else's queue teaches nothing: where most of the load is not ours; where we carry less
//   than half of what we lately did; and for half a minute where more was lately carried cleanly
//   (lasting so long, the path itself has become narrow).
// - A bound from below (train, passive peak) is the least that is taken for learnt, except for ten
//   minutes after a cut, which contradicts it: the peak is one of the first hop only.
//
// Nothing known: no bound, until a queue under our own load teaches one. A commit that is spent
// bounds all of these (commit.hpp). A capacity of 0 is a word too: the path bears nothing.
#pragma once

#include <optional>

#include "core/engine/average.hpp"
#include "core/engine/commit.hpp"
#include "core/engine/memory.hpp"
#include "core/engine/onset.hpp"
#include "core/engine/policy.hpp"
#include "core/model/law.hpp"
#include "core/model/reading.hpp"

namespace hopwise::engine {

class Carrier {
 public:
  /// Another exact word than before: what was learnt is forgotten. Figures that are not finite, or
  /// negative, count as not told.
  void set_terms(const NexthopTerms& terms);
  [[nodiscard]] const NexthopTerms& terms() const { return terms_; }

  /// By the interface's counters. False: impossible, and ignored.
  bool observe(const LoadReading& reading);
  /// What all paths over it carry of ours, bits a second: the sum of Demand::carried_bit_s(), which
  /// is averaged as the load is. Once a second; stands for the load where no interface tells it.
  void carried(double own_bit_s, TimePoint at);
  /// Standard deviation of the load by the chance of flows: a queue that this explains is no news.
  void wavers(double sigma_bit_s) { sigma_bit_s_ = sigma_bit_s; }
  /// Once an epoch. `queue_ms` surely stands at the nexthop now (0: none, or not surely), `loss` is
  /// the lower bound of its ratio of loss, best over a short window (Reading::alarm_loss). What
  /// rose at once teaches nothing, and what may have, no more than a suspicion.
  void learn(double queue_ms, double loss, TimePoint now, Onset onset = Onset::gradual);

  /// A queue has surely built up under the present load, little by little: that is all there is.
  void fill(double queue_ms, TimePoint now);
  /// It was no queue: what the last fill() taught is forgotten.
  void refute();

  /// It has lately borne less than was told, which is others' doing.
  [[nodiscard]] bool shared(TimePoint now) const;

  /// What the law may load it to; empty: nothing is known that could bound it.
  [[nodiscard]] std::optional<double> capacity_bit_s(TimePoint now) const;
  /// Forward load that is not ours to move: of hosts and routes that are not steered.
  [[nodiscard]] double background_bit_s() const;
  /// The load is high enough to explain a queue: over 0.7 of the capacity, or clearly more than
  /// was lately carried cleanly. What rises while it is not is the way itself, or
  /// somebody else's doing.
  [[nodiscard]] bool may_queue(TimePoint now) const;
  [[nodiscard]] CarrierView view(TimePoint now) const;

  void remember(NexthopMemory& memory, TimePoint now) const;
  void recall(const NexthopMemory& memory, TimePoint now);

 private:
  struct Known {
    double bit_s = 0;
    std::string_view from;
  };
  /// Decays by half in ten minutes.
  struct Peak {
    double bit_s = 0;
    TimePoint at;
    [[nodiscard]] double now(TimePoint t) const;
    void raise(double to, TimePoint t);
  };

  [[nodiscard]] std::optional<double> load(TimePoint now) const;
  /// Of that the newest reading alone, where it rises.
  [[nodiscard]] std::optional<double> flows(TimePoint now) const;
  /// Without the commit.
  [[nodiscard]] std::optional<Known> physical(TimePoint now) const;
  [[nodiscard]] std::optional<Known> known(TimePoint now) const;
  [[nodiscard]] bool ours(double load, bool lasting, TimePoint now) const;
  void clean(double load, double elapsed_s, TimePoint now);
  void cut(double load, double queue_ms, double loss, TimePoint now);
  void lower(double bit_s, double queue_ms, TimePoint now);
  [[nodiscard]] bool doubtful(double load, TimePoint now) const;
  void resolve(double load, double queue_ms, TimePoint now);

  NexthopTerms terms_;
  std::optional<double> word_bit_s_;  // the last exact one
  Commit commit_;
  Average load_;
  double newest_bit_s_ = 0;  // of its readings
  std::optional<double> own_bit_s_;
  std::optional<TimePoint> own_at_;
  std::optional<double> learnt_bit_s_;
  TimePoint learnt_at_;              // cut, raised or grown
  Peak peak_;                        // of the load
  Peak clean_peak_;                  // of the load without a queue
  std::optional<TimePoint> judged_;  // the last learn()
  std::optional<TimePoint> queued_;  // since when, without a pause
  std::optional<TimePoint> clean_;   // since when, without a pause
  std::optional<TimePoint> was_clean_;
  std::optional<TimePoint> cut_at_;
  std::optional<TimePoint> drained_;  // no cut before: what a cut left is on its way out
  double cut_queue_ms_ = 0;
  struct Belief {
    std::optional<double> learnt_bit_s;
    Peak clean_peak;
    std::optional<TimePoint> cut_at;
  };
  std::optional<Belief> before_fill_;
  double sigma_bit_s_ = 0;
  /// A queue that the load gives no reason for.
  struct Suspicion {
    double bit_s = 0;  // the highest load under it
    TimePoint since;
    bool outlived = false;  // by the queue: it is no queue
  };
  std::optional<Suspicion> suspicion_;
};

}  // namespace hopwise::engine
