#include "core/simulation/world.hpp"

#include <algorithm>

namespace hopwise::simulation {
namespace {

constexpr double kTiny_s = 1e-9;

Plant make_plant(const Scenario& scenario) {
  std::vector<LinkSpec> links;
  for (const ScenarioLink& link : scenario.links) links.push_back(link.spec);
  std::vector<GroupSpec> groups;
  for (const ScenarioGroup& group : scenario.groups) groups.push_back(group.spec);
  return {links, groups, scenario.plant};
}

}  // namespace

World::World(const Scenario& scenario) : scenario_(&scenario), plant_(make_plant(scenario)) {}

void World::step() {
  const auto& events = scenario_->events;
  const double next_s = now_s() + plant_.step_s();
  for (; happened_ < events.size() && events[happened_].at_s < next_s - kTiny_s; ++happened_)
    apply(events[happened_]);
  plant_.step();
}

void World::apply(const Event& event) {
  if (event.link)
    plant_.change(*event.link, event.link_change.onto(plant_.link(*event.link).spec()));
  if (event.group)
    plant_.change(*event.group, event.demand_change.onto(plant_.demand(*event.group).spec()));
}

bool World::is_warm() const {
  return now_s() > scenario_->warm_up_s;
}

bool World::is_steady() const {
  if (!is_warm()) return false;
  return happened_ == 0 || now_s() - scenario_->events[happened_ - 1].at_s > scenario_->settle_s;
}

}  // namespace hopwise::simulation
