// A nexthop as the engine follows it: an estimator for each anchor, the kernel's word on link and
// neighbour, and the health that follows from both.
//
// Several anchors give one verdict by quorum: the nexthop is silent, or worse, when more than half
// of those judged are (all of one or two), and is back when so many answer that the rest are no
// quorum. Evidence of loss is pooled over anchors. Not judged are: an anchor that never answered
// anybody, one that is to blame itself (blame.hpp), one with no sample for long; and one that is
// asked far more seldom than others has no voice before it was asked since the fault began. When
// samples cease the last verdict stands.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/engine/arena.hpp"
#include "core/engine/carrier.hpp"
#include "core/engine/cost.hpp"
#include "core/engine/load.hpp"
#include "core/engine/overload.hpp"
#include "core/engine/state.hpp"

namespace hopwise::engine {

/// What one anchor says of the nexthop, or of itself.
enum class Verdict : std::uint8_t {
  none,    // too old, or it never answered anybody
  unsure,  // newest probes lost, or slower than usual
  well,
  bad,  // silent, stepped or lossy
};

class TrackedNexthop {
 public:
  TrackedNexthop(NexthopId id, const Options& options) : id_(id), options_(&options) {}

  /// Engine::set_anchors().
  void set_anchors(std::span<const Anchor> anchors);
  /// `answered` are the anchors that have answered through some nexthop; a reply adds to it.
  void observe(const Sample& sample, std::set<Anchor>& answered);
  void observe(const NexthopEvent& event, TimePoint now);
  /// Faster probing is all that follows: what the probes say then decides.
  void observe(const EscapeEvent& event) { escaped_ = event.at; }
  void reconfigure(const Options& options);
  /// The way has become longer, and no load explains it: it is as long as that from now on.
  void accept_step(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> stepped() const { return stepped_; }
  /// What outlives a restart: bases of anchors, penalty, and what the carrier knows.
  [[nodiscard]] NexthopMemory memory(TimePoint now) const;
  void recall(const NexthopMemory& memory, TimePoint now);

  /// Draws the conclusions from what was observed since the last call.
  void advance(TimePoint now, const std::set<Anchor>& answered, const std::set<Anchor>& blamed);
  /// Of each anchor, whether it is to blame or not. The row lives no longer than the arena, nor
  /// than the anchors.
  struct Said {
    const Anchor* anchor = nullptr;
    Verdict verdict = Verdict::none;
  };
  [[nodiscard]] Row<Said> verdicts(TimePoint now, const std::set<Anchor>& answered,
                                   Arena& arena) const;

  [[nodiscard]] NexthopId id() const { return id_; }
  [[nodiscard]] PathState state() const { return health_.state(); }
  [[nodiscard]] const Health& health() const { return health_; }
  void forgive(TimePoint now) { health_.forgive(now, *options_); }
  [[nodiscard]] bool suppressed(TimePoint now) { return health_.suppressed(now, *options_); }
  [[nodiscard]] bool reachable() const {
    return !event_ || (link_up() && neighbour_resolved() && !bfd_down());
  }
  [[nodiscard]] bool link_up() const { return !event_ || event_->link_up; }
  [[nodiscard]] bool neighbour_resolved() const { return !event_ || event_->neighbour_resolved; }
  [[nodiscard]] bool bfd_down() const { return event_ && event_->bfd_down; }

  /// Figures of the best live anchor; empty while too little is known or it is too old.
  [[nodiscard]] const std::optional<Reading>& reading() const { return reading_; }
  /// Part of the probes that were lost, of the anchor that the figures are of; 0..1.
  [[nodiscard]] double loss() const { return loss_; }
  /// What was seen when the health last changed: "rtt_ms=120.4 base_ms=20.1 samples=5".
  [[nodiscard]] const std::string& evidence() const { return evidence_; }
  /// When the first probe left that showed the present fault.
  [[nodiscard]] TimePoint fault_sent() const { return fault_sent_; }
  /// A probe that left at `since` or later came back well.
  [[nodiscard]] bool well_since(TimePoint since) const;
  /// Relieved of load, it is as bad as before: delay and loss of probes that left since.
  [[nodiscard]] bool persists(const Relief& relief, TimePoint now) const;
  [[nodiscard]] bool probed() const { return !anchors_.empty(); }
  [[nodiscard]] bool answering() const;
  /// No anchor was heard by a probe that left at `since` or later, and probes were lost.
  [[nodiscard]] bool hushed_since(TimePoint since) const;
  /// The test of loss is in doubt: an alarm may follow.
  [[nodiscard]] bool loss_in_doubt() const { return loss_doubt_.has_value(); }
  /// The present fault is one of loss alone.
  [[nodiscard]] bool fell_by_loss() const { return fell_by_loss_; }
  /// How the delay of the present fault rose; gradual without one.
  [[nodiscard]] Onset onset(TimePoint now) const;
  /// Wants to be probed faster.
  [[nodiscard]] bool suspicious(TimePoint now) const;
  [[nodiscard]] NexthopView view(TimePoint now) const;

  Carrier carrier;
  BookedLoad load;                  // of all groups; Engine keeps it
  int groups = 0;                   // that have a path over it
  std::optional<TimePoint> surged;  // some group's share rose by more than a step of the slow law
  int limited = 0;  // of those paths, how many are held below the share they should have

 private:
  static constexpr std::size_t kMaxAnchors = 16;
  static constexpr Duration kDoubt = std::chrono::seconds(3);  // how long to look closer

  struct Judged {
    const Estimator* estimator = nullptr;
    bool seldom = false;  // asked far more seldom than the most often asked
    bool silent = false;
    bool stepped = false;
    bool bad = false;
  };

  [[nodiscard]] Row<Judged> judged(TimePoint now, const std::set<Anchor>& answered,
                                   Arena& arena) const;
  [[nodiscard]] std::size_t quorum(std::size_t anchors) const;
  [[nodiscard]] std::optional<PooledLoss> pooled_loss(std::span<const Judged> judged) const;
  [[nodiscard]] bool alarming(std::span<const Judged> judged) const;
  [[nodiscard]] Signs signs(std::span<const Judged> judged) const;
  void judge_fall(std::span<const Judged> judged, Signs& signs) const;
  void judge_rise(std::span<const Judged> judged, Signs& signs) const;
  void doubt_loss(std::span<const Judged> judged, TimePoint now);
  /// The cheapest live anchor; of a nexthop in fault, one that so many are as bad as that they are
  /// a quorum.
  [[nodiscard]] const Estimator* best(TimePoint now) const;
  [[nodiscard]] const Estimator* most_silent() const;
  void note_reading(std::span<const Judged> judged, TimePoint now);
  [[nodiscard]] std::optional<Duration> shift() const;
  [[nodiscard]] std::string loss_evidence(const Estimator& shown,
                                          std::span<const Judged> judged) const;
  void note_onset(std::span<const Judged> judged, TimePoint now);
  void note_evidence(PathState state, std::span<const Judged> judged, TimePoint now);

  NexthopId id_;
  const Options* options_;
  struct Recalled {
    double rtt_ms = 0;
    TimePoint measured;
  };
  std::map<Anchor, Estimator> anchors_;
  std::map<Anchor, Recalled> recalled_;     // bases of anchors that no sample has come from yet
  std::optional<std::set<Anchor>> probed_;  // what is probed, where it is told
  std::set<Anchor> blamed_;
  std::optional<NexthopEvent> event_;
  std::optional<TimePoint> escaped_;  // when a flow left last
  Health health_;
  bool dirty_ = false;
  std::optional<Reading> reading_;
  std::optional<TimePoint> stepped_;     // accept_step()
  std::optional<TimePoint> loss_doubt_;  // since when
  bool fell_by_loss_ = false;
  Onset onset_ = Onset::gradual;
  std::string evidence_;
  TimePoint fault_sent_;
  double loss_ = 0;  // loss()
};

}  // namespace hopwise::engine
