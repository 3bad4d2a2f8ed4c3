#include "core/simulation/run.hpp"

#include <algorithm>
#include <cmath>

#include "core/simulation/controller.hpp"
#include "core/simulation/recorder.hpp"
#include "core/simulation/sensors.hpp"

namespace hopwise::simulation {
namespace {

constexpr double kDecide_s = 0.1;
constexpr std::uint64_t kSensorStreams = 1'000'000'000;

/// A router: its groups in the scenario, what it measures, and who decides.
struct Site {
  std::vector<std::size_t> groups;
  std::unique_ptr<Sensors> sensors;
  std::unique_ptr<Controller> controller;
};

Router router_of(const Scenario& scenario, const World& world,
                 const std::vector<std::size_t>& groups, const std::vector<std::size_t>& links) {
  Router router;
  router.engine = scenario.engine;
  for (const std::size_t link : links)
    router.nexthops.push_back({NexthopId{static_cast<std::uint32_t>(link + 1)},
                               scenario.links[link].told,
                               scenario.links[link].spec.capacity_bit_s});
  for (const std::size_t g : groups) {
    const ScenarioGroup& group = scenario.groups[g];
    Group out{GroupId{static_cast<std::uint32_t>(g + 1)}, {}};
    for (std::size_t i = 0; i < group.spec.links.size(); ++i) {
      const double weight = group.spec.routing.empty() ? 1 : group.spec.routing[i];
      out.paths.push_back({path_id(world.plant(), g, i),
                           NexthopId{static_cast<std::uint32_t>(group.spec.links[i] + 1)},
                           static_cast<std::uint32_t>(std::lround(weight))});
    }
    router.groups.push_back({std::move(out), group.terms});
  }
  return router;
}

std::vector<Site> make_sites(const Scenario& scenario, const World& world,
                             std::string_view controller) {
  std::vector<std::string> names;
  for (const ScenarioGroup& group : scenario.groups)
    if (std::find(names.begin(), names.end(), group.router) == names.end())
      names.push_back(group.router);
  std::vector<Site> sites;
  for (const std::string& name : names) {
    Site site;
    std::vector<std::size_t> links;
    for (std::size_t g = 0; g < scenario.groups.size(); ++g) {
      if (scenario.groups[g].router != name) continue;
      site.groups.push_back(g);
      links.insert(links.end(), scenario.groups[g].spec.links.begin(),
                   scenario.groups[g].spec.links.end());
    }
    std::sort(links.begin(), links.end());
    links.erase(std::unique(links.begin(), links.end()), links.end());
    site.controller = make_controller(controller, router_of(scenario, world, site.groups, links));
    site.sensors = std::make_unique<Sensors>(scenario.measurement, site.groups, links,
                                             scenario.plant.seed, kSensorStreams + sites.size());
    sites.push_back(std::move(site));
  }
  return sites;
}

/// Puts what the site's controller wants into force where it differs.
void put_in_force(const Site& site, std::vector<Steering>& present, World& world,
                  Recorder& recorder) {
  for (std::size_t n = 0; n < site.groups.size(); ++n) {
    const Steering& wanted = site.controller->steering(n);
    Steering& old = present[site.groups[n]];
    if (wanted.weights == old.weights && wanted.usable == old.usable) continue;
    old = wanted;
    world.plant().steer(site.groups[n], wanted.weights, wanted.usable);
    recorder.steered(site.groups[n], wanted.weights);
  }
}

}  // namespace

Performance play(const Scenario& scenario, std::string_view controller) {
  World world(scenario);
  std::vector<Site> sites = make_sites(scenario, world, controller);
  Recorder recorder(scenario, controller);
  Gains gains(scenario);
  std::vector<Steering> present(scenario.groups.size());
  std::vector<Decision> explained;
  double decide_s = 0;
  while (world.now_s() < scenario.duration_s) {
    world.step();
    recorder.step(world);
    gains.step(world);
    const bool due = world.now_s() >= decide_s;
    for (Site& site : sites) {
      site.sensors->step(world.plant(), *site.controller);
      if (!due) continue;
      site.controller->decide(at(world.now_s()));
      put_in_force(site, present, world, recorder);
      for (std::size_t n = 0; n < site.groups.size(); ++n)
        if (gains.compares(site.groups[n])) gains.hear(site.groups[n], site.controller->gain(n));
      for (Decision& decision : site.controller->take_decisions()) {
        gains.follow(decision, world.now_s());
        explained.push_back(std::move(decision));
      }
    }
    if (due) decide_s += kDecide_s;
  }
  Performance outcome = std::move(recorder).conclude(world);
  outcome.explained = std::move(explained);
  outcome.gains = std::move(gains).conclude();
  return outcome;
}

Performance play(const Scenario& scenario, const Plan& plan, std::string_view name) {
  World world(scenario);
  Recorder recorder(scenario, name);
  std::size_t next = 0;
  while (world.now_s() < scenario.duration_s) {
    world.step();
    recorder.step(world);
    const bool due = next < plan.phases.size() && plan.phases[next].from_s < world.now_s();
    if (due) {
      enforce(plan.phases[next], world);
      for (std::size_t g = 0; g < scenario.groups.size(); ++g)
        recorder.steered(g, plan.phases[next].weights[g]);
      ++next;
    }
  }
  return std::move(recorder).conclude(world);
}

void enforce(const Plan::Phase& phase, World& world) {
  Plant& plant = world.plant();
  for (std::size_t g = 0; g < plant.groups(); ++g) {
    std::vector<std::uint8_t> usable;
    for (const std::size_t link : plant.group(g).links)
      usable.push_back(plant.link(link).spec().outage == Outage::none);
    plant.steer(g, phase.weights[g], usable);
  }
}

}  // namespace hopwise::simulation
