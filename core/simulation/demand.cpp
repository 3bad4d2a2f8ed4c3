#include "core/simulation/demand.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace hopwise::simulation {
namespace {

constexpr double kLongestLife_s = 86'400;

}  // namespace

Demand::Demand(const DemandSpec& spec, std::span<const double> routing, std::uint64_t seed,
               std::uint64_t stream)
    : spec_(spec),
      routing_(routing.begin(), routing.end()),
      weights_(routing_),
      usable_(routing.size(), 1),
      carried_(routing.size()),
      arrivals_(seed, 3 * stream),
      choices_(seed, 3 * stream + 1),
      lives_(seed, 3 * stream + 2) {
  if (spec_.granularity == Granularity::flows) {
    settle();
    return;
  }
  for (std::size_t i = 0; i < routing_.size(); ++i)
    carried_[i] = {routing_[i] * mean_bit_s(0) * (1 - spec_.control_share),
                   routing_[i] * mean_bit_s(0) * spec_.control_share};
}

// As many flows as there are in the end, with what is then left of their lives.
void Demand::settle() {
  const std::uint32_t count = arrivals_.poisson(mean_bit_s(0) / spec_.flow_bit_s);
  for (std::uint32_t n = 0; n < count; ++n) begin(0, residual());
  recount();
}

double Demand::mean_bit_s(double t_s) const {
  const double swing = spec_.swing * std::sin(2 * std::numbers::pi * t_s / spec_.swing_period_s);
  return spec_.mean_bit_s * (1 + swing);
}

double Demand::lifetime() {
  if (spec_.lifetimes == Lifetimes::exponential) return lives_.exponential(spec_.lifetime_s);
  const double least = spec_.lifetime_s * (spec_.shape - 1) / spec_.shape;
  return std::min(least * std::pow(1 - lives_.uniform(), -1 / spec_.shape), kLongestLife_s);
}

// Of a renewal process in equilibrium: P(left > x) is the mean's part beyond x.
double Demand::residual() {
  if (spec_.lifetimes == Lifetimes::exponential) return lives_.exponential(spec_.lifetime_s);
  const double u = 1 - lives_.uniform();
  const double least = spec_.lifetime_s * (spec_.shape - 1) / spec_.shape;
  if (u > 1 / spec_.shape) return spec_.lifetime_s * (1 - u);
  return std::min(least * std::pow(spec_.shape * u, -1 / (spec_.shape - 1)), kLongestLife_s);
}

std::uint32_t Demand::pick(std::span<const double> weights, double u) {
  double at = u * std::accumulate(weights.begin(), weights.end(), 0.0);
  std::uint32_t last = 0;
  for (std::uint32_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    if ((at -= weights[i]) < 0) break;
  }
  return last;
}

void Demand::begin(double now_s, double life_s) {
  const bool control = choices_.uniform() < spec_.control_share;
  const double u = choices_.uniform();  // always drawn: choices stay comparable
  ++arrived_;
  const auto& weights = control ? routing_ : weights_;
  if (std::all_of(weights.begin(), weights.end(), [](double w) { return w <= 0; })) {
    refused_bits_ += spec_.flow_bit_s * life_s;
    ++ended_;
    return;
  }
  const std::uint32_t path = pick(weights, u);
  flows_.push_back({now_s + life_s, spec_.flow_bit_s, path, control});
  std::push_heap(flows_.begin(), flows_.end(), std::greater<>());
  Carried& c = carried_[path];
  (control ? c.control_bit_s : c.steered_bit_s) += spec_.flow_bit_s;
}

void Demand::steer(std::span<const double> weights, std::span<const std::uint8_t> usable) {
  weights_.assign(weights.begin(), weights.end());
  bool lost = false;
  for (std::size_t i = 0; i < usable.size(); ++i) lost = lost || (usable_[i] && !usable[i]);
  usable_.assign(usable.begin(), usable.end());
  if (lost) flee();
}

void Demand::flee() {
  const double all = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  if (all <= 0) return;  // nowhere to go
  if (spec_.granularity == Granularity::fluid) {
    for (std::size_t i = 0; i < carried_.size(); ++i) {
      if (usable_[i]) continue;
      const double gone = std::exchange(carried_[i].steered_bit_s, 0);
      moved_bits_ += gone * spec_.lifetime_s;
      for (std::size_t j = 0; j < carried_.size(); ++j)
        carried_[j].steered_bit_s += gone * weights_[j] / all;
    }
    return;
  }
  for (Flow& flow : flows_) {
    if (flow.control || usable_[flow.path]) continue;
    flow.path = pick(weights_, choices_.uniform());
    moved_bits_ += flow.bit_s * std::max(0.0, flow.end_s - now_s_);
  }
  recount();
}

void Demand::recount() {
  std::fill(carried_.begin(), carried_.end(), Carried{});
  for (const Flow& f : flows_)
    (f.control ? carried_[f.path].control_bit_s : carried_[f.path].steered_bit_s) += f.bit_s;
}

void Demand::step(double t_s, double dt_s) {
  now_s_ = t_s;
  if (spec_.granularity == Granularity::fluid)
    fluid_step(t_s, dt_s);
  else
    flow_step(t_s, dt_s);
}

void Demand::flow_step(double t_s, double dt_s) {
  while (!flows_.empty() && flows_.front().end_s <= t_s) {
    std::pop_heap(flows_.begin(), flows_.end(), std::greater<>());
    const Flow& f = flows_.back();
    Carried& c = carried_[f.path];
    double& load = f.control ? c.control_bit_s : c.steered_bit_s;
    load = std::max(0.0, load - f.bit_s);
    flows_.pop_back();
    ++ended_;
  }
  const double a_second = mean_bit_s(t_s) / (spec_.flow_bit_s * spec_.lifetime_s);
  for (std::uint32_t n = arrivals_.poisson(a_second * dt_s); n > 0; --n) begin(t_s, lifetime());
}

void Demand::fluid_step(double t_s, double dt_s) {
  const double part = 1 - std::exp(-dt_s / spec_.lifetime_s);
  const double demand = mean_bit_s(t_s);
  const double all = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  if (all <= 0) refused_bits_ += demand * (1 - spec_.control_share) * dt_s;
  for (std::size_t i = 0; i < carried_.size(); ++i) {
    const double wanted = all > 0 ? weights_[i] / all * demand * (1 - spec_.control_share) : 0;
    carried_[i].steered_bit_s += part * (wanted - carried_[i].steered_bit_s);
    carried_[i].control_bit_s +=
        part * (routing_[i] * demand * spec_.control_share - carried_[i].control_bit_s);
  }
}

}  // namespace hopwise::simulation
