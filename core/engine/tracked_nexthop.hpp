// A nexthop as the engine follows it: an estimator for each anchor, the kernel's word on link and
// neighbour, and the health that follows from both.
//
// Several anchors give one verdict by the best evidence: the nexthop is silent only when every
// anchor that ever answered is, and worse only when every live one is, so that one bad anchor
// kills no gateway. An anchor that never answered anybody proves nothing. When samples cease the
// last verdict stands.
#pragma once

#include <map>
#include <set>
#include <string>

#include "core/engine/cost.hpp"
#include "core/engine/overload.hpp"
#include "core/engine/state.hpp"

namespace hopwise::engine {

class TrackedNexthop {
 public:
  TrackedNexthop(NexthopId id, const Options& options) : id_(id), options_(&options) {}

  /// `answered` are the anchors that have answered through some nexthop; a reply adds to it.
  void observe(const Sample& sample, std::set<Anchor>& answered);
  void observe(const NexthopEvent& event, TimePoint now);
  /// Faster probing is all that follows: what the probes say then decides.
  void observe(const EscapeEvent& event) { escaped_ = event.at; }
  void reconfigure(const Options& options);

  /// Draws the conclusions from what was observed since the last call.
  void advance(TimePoint now, const std::set<Anchor>& answered);

  [[nodiscard]] NexthopId id() const { return id_; }
  [[nodiscard]] PathState state() const { return health_.state(); }
  [[nodiscard]] const Health& health() const { return health_; }
  void forgive(TimePoint now) { health_.forgive(now, *options_); }
  [[nodiscard]] bool suppressed(TimePoint now) { return health_.suppressed(now, *options_); }
  [[nodiscard]] bool reachable() const { return !event_ || (link_up() && neighbour_resolved()); }
  [[nodiscard]] bool link_up() const { return !event_ || event_->link_up; }
  [[nodiscard]] bool neighbour_resolved() const { return !event_ || event_->neighbour_resolved; }

  /// Figures of the best live anchor; empty while too little is known or it is too old.
  [[nodiscard]] const std::optional<Reading>& reading() const { return reading_; }
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
  [[nodiscard]] NexthopView view(TimePoint now) const;

  int groups = 0;   // that have a path over it
  int limited = 0;  // of those paths, how many are held below the share they should have

 private:
  static constexpr std::size_t kMaxAnchors = 16;
  static constexpr Duration kDoubt = std::chrono::seconds(3);  // how long to look closer

  [[nodiscard]] Signs signs(TimePoint now, const std::set<Anchor>& answered) const;
  [[nodiscard]] const Estimator* best(TimePoint now) const;
  void note_evidence(PathState state, TimePoint now);

  NexthopId id_;
  const Options* options_;
  std::map<Anchor, Estimator> anchors_;
  std::optional<NexthopEvent> event_;
  std::optional<TimePoint> escaped_;  // when a flow left last
  Health health_;
  bool dirty_ = false;
  std::optional<Reading> reading_;
  std::string evidence_;
  TimePoint fault_sent_;
};

}  // namespace hopwise::engine
