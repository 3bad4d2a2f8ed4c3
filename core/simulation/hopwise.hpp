// hopwise as a controller: the engine itself, nothing added.
#pragma once

#include <map>
#include <utility>

#include "core/simulation/controller.hpp"
#include "core/simulation/sensors.hpp"

namespace hopwise::simulation {

class HopwiseController : public Controller {
 public:
  explicit HopwiseController(const Router& router);

  void observe(const Sample& sample) override { engine_.observe(sample); }
  void observe(const NexthopEvent& event) override { engine_.observe(event); }
  void observe(const PathReading& reading) override { engine_.observe(reading); }
  void observe(const ControlReading& reading) override { engine_.observe(reading); }
  void observe(const LoadReading& reading) override { engine_.observe(reading); }
  void decide(TimePoint now) override;
  [[nodiscard]] const Steering& steering(std::size_t group) const override {
    return steering_.at(order_.at(group));
  }
  [[nodiscard]] bool suspicious(NexthopId id) const override { return engine_.suspicious(id); }
  [[nodiscard]] std::optional<Gain> gain(std::size_t group) const override {
    const auto law = engine_.law(GroupId{order_.at(group)});
    return law ? law->proof : std::nullopt;
  }
  std::vector<Decision> take_decisions() override { return std::exchange(decisions_, {}); }

 private:
  engine::Engine engine_;
  std::map<std::uint32_t, Steering> steering_;  // by group id
  std::vector<std::uint32_t> order_;
  std::vector<Decision> decisions_;
};

}  // namespace hopwise::simulation
