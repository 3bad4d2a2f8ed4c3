// How one group's traffic is shared: which paths are usable, how far each is limited, what the slow
// law wants, and the decision that says so.
//
// Each path has a *wanted* share, which only routing and the slow law change (and what takes back
// the slow law's doing), and a *limit*, which faults lower to the floor and the ramp raises again.
// The weights are the wanted shares within the limits, so that what a fault took comes back by
// itself and nothing else has to be undone. Objectives have a limit of their own beside it, and
// what the weights will load the nexthops with is entered in the nexthops' book (load.hpp).
// Promises: weights sum to 1 (all 0 when link or neighbour leave no path usable); an unusable path
// has weight 0; probes alone never make the last usable path unusable; nothing moves without a
// decision, and a hold is told once.
#pragma once

#include "core/engine/arena.hpp"
#include "core/engine/demand.hpp"
#include "core/engine/effects.hpp"
#include "core/engine/evidence.hpp"
#include "core/engine/gain.hpp"
#include "core/engine/objectives.hpp"
#include "core/engine/overload.hpp"
#include "core/engine/plan.hpp"
#include "core/engine/proof.hpp"
#include "core/engine/tracked_nexthop.hpp"
#include "core/engine/weights.hpp"

namespace hopwise::engine {

/// How far a fault reaches.
enum class Extent : std::uint8_t {
  some,        // of the nexthops
  everywhere,  // every nexthop that is probed, at once: this host, or what all have in common
};

class GroupLaw {
 public:
  GroupLaw(GroupId id, const Options& options) : id_(id), options_(&options) {}

  struct Member {
    Path path;
    TrackedNexthop* nexthop = nullptr;
    double share = 0;  // of a new one, where an earlier daemon left it one
  };
  /// Paths that stay keep wanted shares, in proportion; new ones start with routing's own share, or
  /// with the one they were left.
  void set_paths(const std::vector<Member>& members);
  void reconfigure(const Options& options) { options_ = &options; }

  void set_terms(const GroupTerms& terms);

  /// Of the path with this index in the group's order.
  void observe(std::size_t path, const PathReading& reading);
  /// In a dry run that is the whole group's traffic: it follows routing.
  void observe(const ControlReading& reading);
  /// Adds to the nexthops' book, which has just been cleared, what this group loads them with.
  void enter_book();

  std::optional<Decision> decide(TimePoint now, Extent extent);
  /// The decision that decide() gave, with the id it got: its effect will be told.
  void note(const Decision& decision);
  [[nodiscard]] std::vector<Effect> take_effects() { return std::exchange(effects_, {}); }

  [[nodiscard]] std::vector<PathView> view() const;
  [[nodiscard]] GroupLawView law(TimePoint now) const;
  [[nodiscard]] GroupMemory memory(TimePoint now) const;
  void recall(const GroupMemory& memory, TimePoint now);
  /// Lets go of the nexthops.
  void clear();

 private:
  static constexpr double kHalfBucket = 1.0 / 2048;  // less moves nothing in the data path
  static constexpr double kTiny = 1e-6;
  static constexpr double kRaise = 0.01;        // less is no load worth the name
  static constexpr std::uint32_t kPhases = 10;  // decisions an epoch
  static bool in_fault(PathState state) {
    return state == PathState::degraded || state == PathState::down;
  }

  struct Share {
    Path path;
    TrackedNexthop* nexthop = nullptr;
    double kernel = 0;  // routing's own share; 0: a candidate
    double wanted = 0;
    double limit = 1;
    double weight = 0;                      // as last decided
    double objective_limit = 1;             // as far as objectives let it
    double booked_bit_s = 0;                // what it has in the book
    Cap cap;                                // the slow law raises `wanted` no further
    std::optional<Relief> relief;           // this fault's answer so far: our raise was taken back
    std::optional<Yield> yield;             // or: parts of it give way
    std::optional<TimePoint> left;          // traffic was taken from it for delay or loss
    std::optional<TimePoint> ramped;        // the ramp's last step
    std::optional<TimePoint> given;         // another's traffic was given to it for those
    std::optional<TimePoint> raised;        // the slow law's last step up
    std::optional<TimePoint> lowered;       // and down
    std::optional<TimePoint> fit;           // breaks no objective, with a margin, since
    std::optional<double> could_bit_s;      // what the nexthop could carry when its fault began
    std::optional<double> base_ms;          // as of the last epoch
    std::optional<double> quiet_jitter_ms;  // when last not nearly full of our own traffic
    std::optional<TimePoint> stepped;       // the nexthop's way had become longer
    PathEvidence evidence;                  // of its own traffic
    bool usable = false;
    bool held = false;    // this fault's hold was told
    bool fallen = false;  // degraded or down when last seen
    bool loaded = false;  // this fault is what our own load explains: the slow law's affair
    bool meets = true;    // the objectives, as far as is known
    // Of candidates (group_candidates.cpp):
    bool entered = false;  // taken in: one of the paths
    bool ready = false;    // out, and nothing is against taking it in
    bool lingers = false;  // let go: its flows may end there
    [[nodiscard]] bool candidate() const { return kernel <= 0; }
    [[nodiscard]] bool out() const { return candidate() && !entered; }
    [[nodiscard]] bool limited() const { return limit < 1; }
    [[nodiscard]] double most() const { return std::min(limit, objective_limit); }
  };
  /// Why a decision is made; the gravest of several is told.
  struct Trigger {
    Reason reason = Reason::cost;
    std::optional<NexthopId> cause;
    std::string evidence;
    bool told = false;  // worth a decision even when no weight changes
  };

  // Faults, at every decision (group_law.cpp)
  void judge_usability(TimePoint now);
  void judge_fall(Share& share, bool usable);
  void tell_recoveries(TimePoint now);
  void free_cheapest();
  // Candidates (group_candidates.cpp)
  void judge_candidates(TimePoint now);
  [[nodiscard]] bool withheld(const Share& share) const;
  [[nodiscard]] bool may_enter(const Share& share, TimePoint now) const;
  [[nodiscard]] Share* best_ready();
  void take_in(Share& share, double wanted);
  void let_go(Share& share, const std::string& evidence);
  void take_in_better(TimePoint now);
  bool take_in_fit();
  // Of delay and loss (group_degraded.cpp)
  void judge_degraded(TimePoint now);
  void judge_one(Share& share, TimePoint now);
  bool take_back(Share& share, TimePoint now);
  void leave(Share& share, Share& better, TimePoint now);
  void begin_hold(const Share& share, const Share& better, TimePoint now);
  [[nodiscard]] bool load_explains(const Share& share, TimePoint now) const;
  [[nodiscard]] bool load_could(const Share& share, TimePoint now) const;
  [[nodiscard]] double least_share(const Share& share) const;
  // Of queues on paths that carry much of ours (group_yield.cpp)
  bool gives_way(Share& share, TimePoint now);
  void give_part(Share& share, double demand_bit_s, TimePoint now);
  void reduce(Share& share, double to, TimePoint now);
  // The slow law and the ramp, once an epoch (group_epoch.cpp)
  struct Contender;
  void run_epoch(TimePoint now);
  void heed_steps();
  void fuse_evidence(TimePoint now);
  bool ramp(Share& share, double step, TimePoint now);
  void run_slow_law(TimePoint now);
  enum class Field : std::uint8_t { usable, with_candidates };
  void gather(Row<Contender>& field, Field which = Field::usable);
  [[nodiscard]] const Contender* compare(std::span<Contender> field) const;
  [[nodiscard]] bool turns(const Contender& from, const Contender& to, TimePoint now) const;
  bool step(std::span<Contender> field, const Contender& cheapest, TimePoint now);
  bool return_to_routing(std::span<Contender> field);
  void apply_caps(std::span<Share* const> judged, TimePoint now);
  void tell_move(const Contender& dearest, const Contender& cheapest);
  // What others decide: proof and objectives, once an epoch (group_objectives.cpp)
  void heed_proof(TimePoint now);
  void heed_objectives(double epochs, TimePoint now);
  void judge_paths(TimePoint now);
  void limit_unfit(double epochs);
  void return_fit(double epochs, TimePoint now);
  void heed_unmet(double epochs);
  void lower(Share& share, double epochs, Reason reason);
  void follow_routing();

  [[nodiscard]] std::vector<PathFigures> figures(TimePoint now) const;
  void tell(std::optional<Effect> effect);
  void lift_idle_limits(std::span<const double> weights);
  std::optional<Decision> conclude(TimePoint now);

  [[nodiscard]] bool surges(const Share& share, double weight, TimePoint now);
  void trigger(Trigger trigger);
  void hold(Share& share);
  void set_limit(Share& share, double limit);
  [[nodiscard]] Duration phase() const;
  [[nodiscard]] double floor_of(const Share& share) const;
  /// The cheapest other path, if it is clearly cheaper right now; `untried` ones only: none that
  /// was just left, and none that what it was given has just made bad. A candidate that is out only
  /// where there is no such path.
  [[nodiscard]] const Share* better_than(const Share& share,
                                         std::optional<TimePoint> untried = {}) const;
  [[nodiscard]] bool all_fell_together() const;
  [[nodiscard]] bool others_in_doubt(const Share& share, TimePoint now) const;
  [[nodiscard]] std::vector<double> weights() const;

  // What a path costs, loads and is expected to do (group_view.cpp)
  [[nodiscard]] const Policy& policy() const { return terms_ ? terms_->policy : options_->policy; }
  [[nodiscard]] bool dry() const { return terms_ && terms_->mode == Mode::dry_run; }
  [[nodiscard]] const Reading* figures(const Share& share) const;
  /// Without what our own load explains.
  [[nodiscard]] std::optional<Reading> scored(const Share& share) const;
  [[nodiscard]] double preference(const Share& share) const;
  [[nodiscard]] double planned_bit_s(const Share& share, double weight) const;
  [[nodiscard]] std::size_t index(const Share& share) const {
    return static_cast<std::size_t>(&share - shares_.data());
  }
  /// By the share of the group's traffic, times `scale`.
  [[nodiscard]] LoadLine load_line(const Share& share, double scale = 1) const;
  /// The share that its nexthop may be filled to by what others leave.
  [[nodiscard]] double room_of(const Share& share) const;
  [[nodiscard]] Standing standing(const Share& share) const;
  [[nodiscard]] CostTerms terms_of(const Share& share, double weight) const;
  [[nodiscard]] Prediction predict(const Share& share, double weight) const;
  [[nodiscard]] std::string held(TimePoint now) const;
  void book(Share& share);

  GroupId id_;
  const Options* options_;
  std::optional<GroupTerms> terms_;
  Objectives objectives_;  // of the terms, those that can be judged
  std::vector<Share> shares_;
  std::vector<Fused> fused_;     // their figures by all that is known, as of this epoch
  std::vector<double> routing_;  // routing's own shares
  Demand demand_;
  Plan plan_;
  Proof proof_;
  Effects followed_;                            // the decision whose effect is awaited
  std::vector<Effect> effects_;                 // not taken yet
  Extent extent_ = Extent::some;                // of the present faults, at this decision
  bool changed_ = true;                         // set_paths() was called since the last decision
  std::optional<TimePoint> epoch_;              // when the last one ran
  std::optional<TimePoint> even_since_;         // costs are equal
  std::optional<TimePoint> alternative_since_;  // some path is not down
  OverloadHold overload_;
  bool reverted_ = false;    // told
  bool unmet_ = false;       // told
  bool travelling_ = false;  // the slow law is on its way to where costs are equal
  Schedule schedule_;        // of its last step
  std::optional<Trigger> trigger_;
};

}  // namespace hopwise::engine
