// What a simulated router does with what it measures: hopwise's own engine, or one of the laws that
// it is compared with. All get the same measurements by the same door.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/model/decision.hpp"
#include "core/model/law.hpp"
#include "core/model/reading.hpp"
#include "core/model/sample.hpp"
#include "core/simulation/scenario.hpp"

namespace hopwise::simulation {

/// What a router knows of itself before it measures anything. Nexthop ids are the links' indices
/// plus one, group ids the groups' in the scenario plus one.
struct Router {
  struct OfGroup {
    Group group{};
    engine::GroupTerms terms{};
  };
  struct OfNexthop {
    NexthopId id{};
    engine::NexthopTerms told{};
    double true_bit_s = 0;  // the link's capacity at the start: for laws that cannot do without
    [[nodiscard]] double capacity_bit_s() const {
      return told.capacity ? told.capacity->bit_s : true_bit_s;
    }
  };
  std::vector<OfGroup> groups{};
  std::vector<OfNexthop> nexthops{};
  engine::Options engine{};
};

/// Shares of a group's flows to come, in the order of its paths, and where flows may stay.
struct Steering {
  std::vector<double> weights{};
  std::vector<std::uint8_t> usable{};
};

class Controller {
 public:
  virtual ~Controller() = default;

  virtual void observe(const Sample& /*sample*/) {}
  virtual void observe(const NexthopEvent& /*event*/) {}
  virtual void observe(const PathReading& /*reading*/) {}
  virtual void observe(const ControlReading& /*reading*/) {}
  virtual void observe(const LoadReading& /*reading*/) {}

  /// Every 100 ms.
  virtual void decide(TimePoint now) = 0;
  /// Of the router's n-th group.
  [[nodiscard]] virtual const Steering& steering(std::size_t group) const = 0;
  /// Wants the nexthop probed faster.
  [[nodiscard]] virtual bool suspicious(NexthopId /*id*/) const { return false; }
  /// What the router's n-th group gains by being steered, as far as its control flows tell.
  [[nodiscard]] virtual std::optional<Gain> gain(std::size_t /*group*/) const { return {}; }
  /// Since the last call, where decisions can be explained.
  virtual std::vector<Decision> take_decisions() { return {}; }
};

/// "hopwise", then the others.
std::span<const std::string_view> controller_names();
/// Empty for an unknown name.
std::unique_ptr<Controller> make_controller(std::string_view name, const Router& router);

}  // namespace hopwise::simulation
