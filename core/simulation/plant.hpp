// The world of a simulation: links, and groups whose traffic fills them. Several routers are
// several groups on the same links: none sees the others' traffic but by what it does to the links.
//
//   Plant plant(links, groups, {.step_s = 0.02, .seed = 1});
//   plant.steer(0, weights, usable);   // what a controller decided for group 0
//   plant.step();                      // 20 ms of the fluid
//   plant.link(0).state().rtt_ms;
//
// A plant is a value: a copy goes on from the same moment with the same luck, which is how the
// oracle tries one split after the other. Promises: the same seed gives the same run; what comes in
// leaves, is lost, or waits.
#pragma once

#include <span>
#include <vector>

#include "core/simulation/demand.hpp"
#include "core/simulation/link.hpp"

namespace hopwise::simulation {

struct GroupSpec {
  std::vector<std::size_t> links{};  // its paths, by index of the link
  std::vector<double> routing{};     // routing's own weights; empty: equal
  DemandSpec demand{};
};

struct PlantOptions {
  double step_s = 0.02;
  std::uint64_t seed = 1;
};

class Plant {
 public:
  Plant(std::span<const LinkSpec> links, std::span<const GroupSpec> groups,
        const PlantOptions& options);

  /// By the group's paths in its order; any unit. Flows of paths without `usable` move at once.
  void steer(std::size_t group, std::span<const double> weights,
             std::span<const std::uint8_t> usable);
  /// The same, all usable.
  void steer(std::size_t group, std::span<const double> weights);
  void change(std::size_t link, const LinkSpec& spec) { links_.at(link).change(spec); }
  void change(std::size_t group, const DemandSpec& spec) { demands_.at(group).change(spec); }

  void step();

  [[nodiscard]] double now_s() const { return static_cast<double>(steps_) * options_.step_s; }
  [[nodiscard]] double step_s() const { return options_.step_s; }
  [[nodiscard]] std::size_t links() const { return links_.size(); }
  [[nodiscard]] std::size_t groups() const { return groups_.size(); }
  [[nodiscard]] const Link& link(std::size_t i) const { return links_.at(i); }
  [[nodiscard]] const Demand& demand(std::size_t group) const { return demands_.at(group); }
  [[nodiscard]] const GroupSpec& group(std::size_t i) const { return groups_.at(i); }

 private:
  PlantOptions options_;
  std::vector<GroupSpec> groups_;
  std::vector<Link> links_;
  std::vector<Demand> demands_;
  std::vector<double> loads_;  // of each link, in this step
  std::uint64_t steps_ = 0;
};

}  // namespace hopwise::simulation
