// The plant with the scenario's events: what happens by itself. A value, like the plant: a copy
// goes on from the same moment.
#pragma once

#include <optional>

#include "core/simulation/scenario.hpp"

namespace hopwise::simulation {

class World {
 public:
  /// The scenario must outlive it.
  explicit World(const Scenario& scenario);

  /// The events that are due, then one step of the plant.
  void step();

  [[nodiscard]] double now_s() const { return plant_.now_s(); }
  [[nodiscard]] const Plant& plant() const { return plant_; }
  [[nodiscard]] Plant& plant() { return plant_; }
  /// How many events have happened.
  [[nodiscard]] std::size_t happened() const { return happened_; }
  /// After the warm-up, and long enough after the last event.
  [[nodiscard]] bool is_steady() const;
  [[nodiscard]] bool is_warm() const;

 private:
  void apply(const Event& event);

  const Scenario* scenario_;
  Plant plant_;
  std::size_t happened_ = 0;
};

}  // namespace hopwise::simulation
