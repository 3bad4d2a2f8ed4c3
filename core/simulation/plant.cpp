#include "core/simulation/plant.hpp"

#include <algorithm>
#include <numeric>

namespace hopwise::simulation {
namespace {

constexpr std::uint64_t kLinkStreams = 1'000;
constexpr std::uint64_t kDemandStreams = 1'000'000;

}  // namespace

Plant::Plant(std::span<const LinkSpec> links, std::span<const GroupSpec> groups,
             const PlantOptions& options)
    : options_(options), groups_(groups.begin(), groups.end()), loads_(links.size()) {
  for (const LinkSpec& spec : links)
    links_.emplace_back(spec, options_.seed, kLinkStreams + links_.size());
  for (GroupSpec& group : groups_) {
    if (group.routing.empty()) group.routing.assign(group.links.size(), 1);
    const double all = std::accumulate(group.routing.begin(), group.routing.end(), 0.0);
    for (double& weight : group.routing) weight /= all;
    demands_.emplace_back(group.demand, group.routing, options_.seed,
                          kDemandStreams + demands_.size());
  }
}

void Plant::steer(std::size_t group, std::span<const double> weights,
                  std::span<const std::uint8_t> usable) {
  demands_.at(group).steer(weights, usable);
}

void Plant::steer(std::size_t group, std::span<const double> weights) {
  demands_.at(group).steer(weights, std::vector<std::uint8_t>(weights.size(), 1));
}

void Plant::step() {
  ++steps_;
  std::fill(loads_.begin(), loads_.end(), 0.0);
  for (std::size_t g = 0; g < demands_.size(); ++g) {
    demands_[g].step(now_s(), options_.step_s);
    const auto carried = demands_[g].carried();
    for (std::size_t i = 0; i < carried.size(); ++i)
      loads_[groups_[g].links[i]] += carried[i].total();
  }
  for (std::size_t i = 0; i < links_.size(); ++i)
    links_[i].step(loads_[i], now_s(), options_.step_s);
}

}  // namespace hopwise::simulation
