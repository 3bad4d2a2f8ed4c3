// hopwise as a controller: the engine itself, nothing added.
#include "core/simulation/hopwise.hpp"

namespace hopwise::simulation {

HopwiseController::HopwiseController(const Router& router) : engine_(router.engine) {
  const TimePoint start = at(0);
  for (const auto& nexthop : router.nexthops) engine_.set_terms(nexthop.id, nexthop.told);
  for (const auto& of : router.groups) {
    engine_.set_group(of.group, start);
    engine_.set_terms(of.group.id, of.terms);
    Steering& steering = steering_[raw(of.group.id)];
    for (const Path& path : of.group.paths) steering.weights.push_back(path.kernel_weight);
    steering.usable.assign(of.group.paths.size(), 1);
    order_.push_back(raw(of.group.id));
  }
  for (const auto& nexthop : router.nexthops)
    engine_.observe(NexthopEvent{nexthop.id, start, true, true});
}

void HopwiseController::decide(TimePoint now) {
  for (Decision& decision : engine_.decide(now)) {
    const auto found = steering_.find(raw(decision.group));
    if (found == steering_.end()) continue;
    for (std::size_t i = 0; i < decision.paths.size(); ++i) {
      found->second.weights[i] = decision.paths[i].after;
      found->second.usable[i] = decision.paths[i].usable;
    }
    decisions_.push_back(std::move(decision));
  }
  engine_.take_effects();
}

}  // namespace hopwise::simulation
