#include "core/simulation/gains.hpp"

#include <algorithm>
#include <numbers>
#include <numeric>
#include <utility>

namespace hopwise::simulation {
namespace {

constexpr double kBatch_s = 10;
constexpr std::size_t kBatches = 30;
constexpr double kResolution = 1.0 / 32;
constexpr double kReturn_s = 30;  // of flows, after a revert

bool same(const Gain& a, const Gain& b) {
  return a.gain_ms == b.gain_ms && a.lower_ms == b.lower_ms && a.upper_ms == b.upper_ms &&
         a.samples == b.samples;
}

}  // namespace

Gains::Gains(const Scenario& scenario) : groups_(scenario.groups.size()), batch_end_s_(kBatch_s) {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    groups_[g].compared = scenario.groups[g].spec.demand.control_share > 0;
    groups_[g].gain.group = scenario.groups[g].name;
  }
}

void Gains::step(const World& world) {
  const Plant& plant = world.plant();
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (!groups_[g].compared || plant.now_s() < groups_[g].from_s) continue;
    const GroupSpec& spec = plant.group(g);
    const auto carried = plant.demand(g).carried();
    for (std::size_t i = 0; i < carried.size(); ++i) {
      const Link& link = plant.link(spec.links[i]);
      const double arrives = 1 - link.state().loss;
      const double middle_ms = std::numbers::ln2 * link.spec().jitter_ms;
      groups_[g].batch.push_back({link.state().rtt_ms + link.spec().user_extra_ms + middle_ms,
                                  arrives * spec.routing[i], arrives * carried[i].steered_bit_s});
    }
  }
  if (plant.now_s() < batch_end_s_) return;
  batch_end_s_ += kBatch_s;
  for (OfGroup& group : groups_) {
    if (const auto gain = median_gain(group.batch)) group.batches.push_back(*gain);
    if (group.batches.size() > kBatches) group.batches.erase(group.batches.begin());
    group.batch.clear();
  }
}

// Empty where either side had nothing.
std::optional<double> Gains::median_gain(std::vector<Atom>& batch) {
  std::sort(batch.begin(), batch.end(), [](const Atom& a, const Atom& b) { return a.ms < b.ms; });
  const auto median = [&](double Atom::*weight) -> std::optional<double> {
    double left = 0;
    for (const Atom& a : batch) left += a.*weight / 2;
    if (left <= 0) return std::nullopt;
    for (const Atom& a : batch)
      if ((left -= a.*weight) < 0) return a.ms;
    return batch.back().ms;
  };
  const auto control = median(&Atom::control);
  const auto steered = median(&Atom::steered);
  return control && steered ? std::optional(*control - *steered) : std::nullopt;
}

std::optional<double> Gains::OfGroup::truth_ms() const {
  if (batches.empty()) return std::nullopt;
  return std::accumulate(batches.begin(), batches.end(), 0.0) / static_cast<double>(batches.size());
}

void Gains::hear(std::size_t group, const std::optional<Gain>& gain) {
  OfGroup& of = groups_.at(group);
  if (!gain || (of.gain.told && same(*of.gain.told, *gain))) return;
  of.gain.told = gain;
  of.gain.truth_ms = of.truth_ms();
  if (!of.gain.truth_ms) return;
  const double off =
      std::max(gain->lower_ms - *of.gain.truth_ms, *of.gain.truth_ms - gain->upper_ms);
  ++of.gain.intervals;
  of.gain.held += off <= 0;
  of.gain.held_nearly += off <= kResolution * std::max(gain->control_ms, gain->steered_ms);
}

void Gains::follow(const Decision& decision, double now_s) {
  OfGroup& of = groups_.at(raw(decision.group) - 1);
  auto& reverts = of.gain.reverts;
  if (decision.reason == Reason::reverted) reverts.push_back({now_s, {}, of.truth_ms()});
  if (decision.reason != Reason::resumed) return;
  if (!reverts.empty()) reverts.back().until_s = now_s;
  of.from_s = now_s + kReturn_s;
  of.batch.clear();
  of.batches.clear();
}

std::vector<GroupGain> Gains::conclude() && {
  std::vector<GroupGain> gains;
  for (OfGroup& of : groups_) {
    if (!of.compared) continue;
    if (!of.gain.told) of.gain.truth_ms = of.truth_ms();
    gains.push_back(std::move(of.gain));
  }
  return gains;
}

}  // namespace hopwise::simulation
