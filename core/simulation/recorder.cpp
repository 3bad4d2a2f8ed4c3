#include "core/simulation/recorder.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace hopwise::simulation {
namespace {

constexpr double kTurn = 0.005;
constexpr double kMoved = 0.9;     // of the movable traffic
constexpr double kFloor = 0.0105;  // hopwise leaves this much on a path that may recover
constexpr double kWorth = 0.05;    // of the weight: less is no traffic to move
constexpr double kSample_s = 1;

// Whether the event makes its link worse, so that its traffic should go.
bool is_harm(const Event& event, const LinkSpec& before) {
  const LinkChange& c = event.link_change;
  return (c.outage && *c.outage != Outage::none && before.outage == Outage::none) ||
         (c.base_ms && *c.base_ms > before.base_ms + 5) ||
         (c.user_extra_ms && *c.user_extra_ms > before.user_extra_ms + 5) ||
         (c.loss && *c.loss > before.loss + 0.01);
}

double total_moved_bits(const Plant& plant) {
  double bits = 0;
  for (std::size_t g = 0; g < plant.groups(); ++g) bits += plant.demand(g).moved_bits();
  return bits;
}

}  // namespace

bool Turns::follow(double weight) {
  if (!begun_) {
    begun_ = true;
    extreme_ = weight;
    return false;
  }
  const double way = weight - extreme_;
  if (direction_ * way > 0 || (direction_ == 0 && std::abs(way) > kTurn)) {
    direction_ = way > 0 ? 1 : -1;
    extreme_ = weight;
    return false;
  }
  if (direction_ == 0 || std::abs(way) <= kTurn) return false;
  direction_ = -direction_;
  extreme_ = weight;
  return true;
}

Recorder::Recorder(const Scenario& scenario, std::string_view controller)
    : scenario_(&scenario), groups_(scenario.groups.size()) {
  outcome_.controller = controller;
  for (std::size_t g = 0; g < scenario.groups.size(); ++g) {
    const ScenarioGroup& group = scenario.groups[g];
    Trace& trace = outcome_.traces.emplace_back();
    trace.controller = controller;
    trace.group = group.name;
    for (const std::size_t link : group.spec.links)
      trace.paths.push_back({.name = scenario.links[link].spec.name});
    for (const Event& event : scenario.events)
      if (!event.group || *event.group == g) trace.marks.push_back({event.at_s, event.text});
    groups_[g].turns.resize(group.spec.links.size());
    groups_[g].weights = group.spec.routing;
    if (groups_[g].weights.empty()) groups_[g].weights.assign(group.spec.links.size(), 1);
    const double sum = std::accumulate(groups_[g].weights.begin(), groups_[g].weights.end(), 0.0);
    for (double& weight : groups_[g].weights) weight /= sum;
  }
}

void Recorder::steered(std::size_t group, std::span<const double> weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  double moved = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double weight = sum > 0 ? weights[i] / sum : 0;
    moved += std::abs(weight - std::exchange(groups_[group].weights[i], weight)) / 2;
  }
  if (!warm_ || moved < 1e-9) return;
  ++outcome_.decisions;
  outcome_.weight_moved += moved;
}

void Recorder::step(const World& world) {
  const Plant& plant = world.plant();
  begin_reactions(world);
  follow_reactions(world.now_s());
  if (world.is_warm() && !warm_) {
    warm_ = true;
    moved_bits_before_ = total_moved_bits(plant);
  }
  if (world.is_warm())
    all_.count(plant);
  else
    all_.skip(plant);
  if (world.is_steady())
    steady_.count(plant);
  else
    steady_.skip(plant);
  follow_turns(world);
  if (world.now_s() >= next_sample_s_) sample(world);
}

void Recorder::begin_reactions(const World& world) {
  for (; happened_ < world.happened(); ++happened_) {
    const Event& event = scenario_->events[happened_];
    if (!event.link) continue;
    LinkSpec before = scenario_->links[*event.link].spec;
    for (std::size_t e = 0; e < happened_; ++e)
      if (scenario_->events[e].link == event.link)
        before = scenario_->events[e].link_change.onto(before);
    std::erase_if(pending_, [&](const Pending& p) { return p.link == *event.link; });
    if (!is_harm(event, before) || event.at_s < scenario_->warm_up_s) continue;
    Pending pending{outcome_.reactions.size(), *event.link, event.at_s, {}};
    bool any = false;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      pending.before.push_back(weight_on(g, *event.link));
      any = any || pending.before.back().value_or(0) > kWorth;
    }
    if (!any) continue;
    outcome_.reactions.push_back({{event.at_s, event.text}, {}});
    pending_.push_back(std::move(pending));
  }
}

void Recorder::follow_reactions(double now_s) {
  std::erase_if(pending_, [&](const Pending& p) {
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const double before = p.before[g].value_or(0);
      if (before > kWorth && *weight_on(g, p.link) > std::max((1 - kMoved) * before, kFloor))
        return false;
    }
    outcome_.reactions[p.reaction].after_s = now_s - p.at_s;
    return true;
  });
}

std::optional<double> Recorder::weight_on(std::size_t group, std::size_t link) const {
  const auto& links = scenario_->groups[group].spec.links;
  const auto found = std::find(links.begin(), links.end(), link);
  if (found == links.end()) return std::nullopt;
  return groups_[group].weights[static_cast<std::size_t>(found - links.begin())];
}

void Recorder::follow_turns(const World& world) {
  const bool steady = world.is_steady();
  for (OfGroup& group : groups_)
    for (std::size_t i = 0; i < group.turns.size(); ++i) {
      if (!steady)
        group.turns[i].forget();
      else if (group.turns[i].follow(group.weights[i]))
        ++outcome_.reversals;
    }
}

void Recorder::sample(const World& world) {
  next_sample_s_ += kSample_s;
  const Plant& plant = world.plant();
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    Trace& trace = outcome_.traces[g];
    trace.t_s.push_back(world.now_s());
    for (std::size_t i = 0; i < trace.paths.size(); ++i) {
      const Link& link = plant.link(plant.group(g).links[i]);
      PathTrace& path = trace.paths[i];
      path.weight.push_back(static_cast<float>(groups_[g].weights[i]));
      path.delay_ms.push_back(static_cast<float>(felt_ms(link)));
      path.load_bit_s.push_back(
          static_cast<float>(link.state().load_bit_s + link.state().cross_bit_s));
      path.loss.push_back(static_cast<float>(link.state().loss));
    }
  }
}

Performance Recorder::conclude(const World& world) && {
  outcome_.all = all_.figures(scenario_->loss_costs_ms);
  outcome_.steady = steady_.figures(scenario_->loss_costs_ms);
  outcome_.moved_bytes = (total_moved_bits(world.plant()) - moved_bits_before_) / 8;
  return std::move(outcome_);
}

}  // namespace hopwise::simulation
