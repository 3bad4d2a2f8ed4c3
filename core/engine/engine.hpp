// The scoring engine: samples in, decisions out. Pure: no clock, no socket, no logger; time is an
// argument, so a recorded trace replays exactly.
//
//   observe(sample | event)  ->  estimate per nexthop  ->  state  ->  cost  ->  weights per group
//
// decide(now) advances states, and returns one Decision for each group whose weights or usability
// change; it returns nothing while nothing should move.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/engine/memory.hpp"
#include "core/engine/policy.hpp"
#include "core/engine/tap.hpp"
#include "core/model/decision.hpp"
#include "core/model/estimate.hpp"
#include "core/model/law.hpp"
#include "core/model/path.hpp"
#include "core/model/reading.hpp"
#include "core/model/sample.hpp"

namespace hopwise::engine {

/// Every tunable of the control law, with its default. Ratios are 0..1.
struct Options {
  // Estimator
  Duration fast_tau = std::chrono::seconds(2);      // EWMA time constant of alarms
  Duration slow_tau = std::chrono::seconds(20);     // of scores
  Duration base_window = std::chrono::minutes(10);  // lowest RTT is remembered this long
  Duration loss_window = std::chrono::seconds(20);  // loss for alarms
  Duration score_loss_window =
      std::chrono::minutes(2);  // for scores: 20 s cannot tell 3 % from 0.5 %
  Policy policy;                // of groups that have no terms of their own
  // Law
  Duration epoch = std::chrono::seconds(1);
  double gain = 0.25;       // g*: of the stability margin
  double max_step = 0.02;   // weight a path may lose or gain an epoch
  double ramp_step = 0.05;  // weight a path in probation may gain a second
  double floor = 0.01;      // weight of a usable path never falls below
  double dead_band = 0.10;  // relative delay difference that is not worth a move
  Duration dead_band_delay = std::chrono::milliseconds(1);  // absolute
  // States
  Duration degraded_delay = std::chrono::milliseconds(15);  // step above base that counts ...
  double degraded_ratio = 0.25;                             // ... when also this much of base
  double degraded_loss = 0.05;                              // lower bound of loss that counts
  std::uint32_t down_after = 3;                             // consecutive losses on an anchor
  std::uint32_t up_after = 10;                              // consecutive replies before probation
  double quorum = 0.5;        // more than this part of the judged anchors must agree; all of 1 or 2
  double usual_loss = 0.005;  // a path may lose this much and be well
  Duration false_alarm_every = std::chrono::hours(24 * 365);  // of loss, mean, one nexthop
  double flap_penalty = 1000;   // added on each failure (RFC 2439 figures)
  double flap_suppress = 3000;  // above: held at the floor
  double flap_reuse = 750;      // below: free again
  Duration flap_half_life = std::chrono::seconds(60);
};

/// What the engine holds of a nexthop, for status and metrics.
struct NexthopView {
  Estimate estimate;
  PathState state = PathState::probation;
  bool suspicious = false;  // wants to be probed faster
  double penalty = 0;
  std::vector<Anchor> blamed{};     // of its anchors: they fail through every nexthop, it does not
  std::optional<Duration> shift{};  // delay surely and lastingly this far above its usual, either
                                    // too little to be degraded or not yet so
};

struct PathView {
  PathId path{};
  double weight = 0;
  bool usable = false;
  double cost = 0;
};

class Engine {
 public:
  explicit Engine(const Options& options);
  ~Engine();

  /// Hears of every call below that changes anything; null: nobody does. It must outlive its use.
  void set_tap(Tap* tap);

  /// New tunables from now on; estimates, states and weights stay.
  void reconfigure(const Options& options);

  /// Adds a group, or changes its paths: weights of paths that stay are kept, in proportion. New
  /// paths start with routing's own shares, or, of a group that an earlier daemon left, with what
  /// each `holds` there, in the group's order and any unit.
  void set_group(const Group& group, TimePoint now, std::span<const std::uint32_t> holds = {});
  void remove_group(GroupId id);
  /// Forgets all about a nexthop that no group uses any more.
  void remove_nexthop(NexthopId id);

  /// What is probed through it from now on: other anchors are forgotten, and what is still on its
  /// way from them is ignored. Before the first call every anchor is heard.
  void set_anchors(NexthopId id, std::span<const Anchor> anchors);

  /// What the group wants; before the first call Options::policy alone. Weights stay.
  void set_terms(GroupId id, const GroupTerms& terms);
  /// What is known of the nexthop that no measurement tells.
  void set_terms(NexthopId id, const NexthopTerms& terms);

  // Readings and samples of paths, groups and nexthops that are not known are ignored, and so is
  // what is impossible: NaN, negative, more than 10 s ahead of the latest `now` or a minute behind
  // it, a stretch of no time, a round trip of none or over a minute, what is known before it left.
  // So are readings of a path with an id of 2^22 or more: ids are small and dense.
  void observe(const PathReading& reading);
  void observe(const ControlReading& reading);
  void observe(const LoadReading& reading);
  void observe(const Sample& sample);
  void observe(const NexthopEvent& event);
  void observe(const EscapeEvent& event);

  /// Time never runs back: an earlier `now` than any before counts as the latest, and after a jump
  /// ahead nothing is concluded before samples of then have come.
  std::vector<Decision> decide(TimePoint now);
  /// What became of earlier decisions, since the last call.
  std::vector<Effect> take_effects();

  /// What should outlive a restart; empty for what is not known.
  [[nodiscard]] std::optional<NexthopMemory> memory(NexthopId id, TimePoint now) const;
  [[nodiscard]] std::optional<GroupMemory> memory(GroupId id, TimePoint now) const;
  /// Takes it up again: before, or soon after, the first samples. Times are relative to `now`.
  void recall(NexthopId id, const NexthopMemory& memory, TimePoint now);
  void recall(GroupId id, const GroupMemory& memory, TimePoint now);

  [[nodiscard]] std::optional<NexthopView> nexthop(NexthopId id) const;
  /// Of that view the wish to be probed faster, which is asked after every decision; false for an
  /// unknown nexthop.
  [[nodiscard]] bool suspicious(NexthopId id) const;
  /// Anchors that fail through every nexthop that probes them, at least two, while the nexthops'
  /// other anchors are well: what they say is left out.
  [[nodiscard]] std::vector<Anchor> blamed() const;
  /// In the group's order; empty for an unknown group.
  [[nodiscard]] std::vector<PathView> group(GroupId id) const;
  /// All that the law holds of the group; empty for an unknown one.
  [[nodiscard]] std::optional<GroupLawView> law(GroupId id) const;
  [[nodiscard]] std::optional<CarrierView> carrier(NexthopId id) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::engine
