// Follows a run and draws up its outcome: figures of the traffic, turns of the weights, the time
// that events took to be answered, and a point of every series each second.
#pragma once

#include "core/simulation/meter.hpp"
#include "core/simulation/world.hpp"

namespace hopwise::simulation {

/// Counts how often a weight turns: a way back of more than 0.5 % from where it last turned.
class Turns {
 public:
  /// True: here is one.
  bool follow(double weight);
  void forget() {
    direction_ = 0;
    begun_ = false;
  }

 private:
  double extreme_ = 0;
  int direction_ = 0;
  bool begun_ = false;
};

class Recorder {
 public:
  Recorder(const Scenario& scenario, std::string_view controller);

  /// Weights that were just put in force, of any sum.
  void steered(std::size_t group, std::span<const double> weights);
  /// After each step of the world.
  void step(const World& world);
  [[nodiscard]] Performance conclude(const World& world) &&;

 private:
  struct OfGroup {
    std::vector<double> weights;
    std::vector<Turns> turns;
  };
  struct Pending {
    std::size_t reaction = 0;
    std::size_t link = 0;
    double at_s = 0;
    std::vector<std::optional<double>> before{};  // by group: the link's weight then
  };

  void begin_reactions(const World& world);
  void follow_reactions(double now_s);
  void follow_turns(const World& world);
  void sample(const World& world);
  [[nodiscard]] std::optional<double> weight_on(std::size_t group, std::size_t link) const;

  const Scenario* scenario_;
  Performance outcome_;
  Meter all_;
  Meter steady_;
  std::vector<OfGroup> groups_;
  std::vector<Pending> pending_;
  std::size_t happened_ = 0;
  double moved_bits_before_ = 0;
  double next_sample_s_ = 0;
  bool warm_ = false;
};

}  // namespace hopwise::simulation
