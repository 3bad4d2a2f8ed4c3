// What steering gains each group that has control flows: what the router tells of it (the engine's
// proof, from readings alone), what is true in the plant, and when steering was reverted.
//
// The truth is what the proof would find with endless control flows: of every ten seconds the
// median of what routing's own weights would have met, less the median of what the steered traffic
// did meet, both at the delays that were; then the mean of the last five minutes, or since steering
// was taken up again (less the time that the proof, too, leaves flows to return). Control flows
// being few, what they change about the delays is left out. An interval is judged when it is told.
// Medians of mixed fast and slow flows are known to 1/32 only (rtt_mix.hpp), which no interval of
// chance allows for: that is counted apart.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/model/decision.hpp"
#include "core/model/law.hpp"
#include "core/simulation/world.hpp"

namespace hopwise::simulation {

struct Revert {
  double at_s = 0;
  std::optional<double> until_s{};   // empty: the run ended before
  std::optional<double> truth_ms{};  // the gain as it was then
};

/// Of one group under one controller.
struct GroupGain {
  std::string group{};
  std::optional<Gain> told{};        // the last; empty: none, or no controller that tells it
  std::optional<double> truth_ms{};  // by then; of the last five minutes where nothing was told
  int intervals = 0;                 // that were told ...
  int held = 0;                      // ... and had the truth within them
  int held_nearly = 0;               // ... or as near as the data path's histograms tell: 1/32
  std::vector<Revert> reverts{};
};

class Gains {
 public:
  /// The scenario must outlive it.
  explicit Gains(const Scenario& scenario);

  /// The group has control flows.
  [[nodiscard]] bool compares(std::size_t group) const { return groups_.at(group).compared; }
  /// After each step of the world.
  void step(const World& world);
  /// What the group's controller tells now; the same again counts once.
  void hear(std::size_t group, const std::optional<Gain>& gain);
  /// One of a group of the scenario.
  void follow(const Decision& decision, double now_s);
  /// Groups with control flows, in the scenario's order.
  [[nodiscard]] std::vector<GroupGain> conclude() &&;

 private:
  struct Atom {
    double ms = 0;
    double control = 0, steered = 0;  // weights
  };
  struct OfGroup {
    bool compared = false;  // has control flows
    GroupGain gain{};
    double from_s = 0;  // what was before does not count
    std::vector<Atom> batch{};
    std::vector<double> batches{};  // gains, of the last five minutes
    [[nodiscard]] std::optional<double> truth_ms() const;
  };

  static std::optional<double> median_gain(std::vector<Atom>& batch);

  std::vector<OfGroup> groups_;
  double batch_end_s_ = 0;
};

}  // namespace hopwise::simulation
