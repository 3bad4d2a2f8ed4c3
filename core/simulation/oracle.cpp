#include "core/simulation/oracle.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/simulation/meter.hpp"

namespace hopwise::simulation {
namespace {

constexpr double kJudged_s = 900;  // of a long stretch
constexpr double kTogether_s = 1;  // events this close begin one stretch
constexpr double kLeast = 1e-4;    // a gain, relative, that is worth a step
constexpr double kFull[] = {0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.96, 1.0};
constexpr double kSteps[] = {0.08, 0.04, 0.02, 0.01};

/// Groups with the same paths, which share one split.
struct Bundle {
  std::vector<std::size_t> links{};
  std::vector<std::size_t> groups{};
};
using Split = std::vector<std::vector<double>>;  // by bundle and path

struct Stretch {
  double from_s = 0;
  double to_s = 0;
};

std::vector<Stretch> stretches_of(const Scenario& s) {
  std::vector<double> starts{0};
  for (const Event& event : s.events) starts.push_back(event.at_s);
  for (double t = s.oracle_every_s; s.oracle_every_s > 0 && t < s.duration_s; t += s.oracle_every_s)
    starts.push_back(t);
  std::sort(starts.begin(), starts.end());
  std::vector<Stretch> stretches;
  for (const double t : starts)
    if (stretches.empty() || t - stretches.back().from_s >= kTogether_s)
      stretches.push_back({t, s.duration_s});
  for (std::size_t i = 0; i + 1 < stretches.size(); ++i)
    stretches[i].to_s = stretches[i + 1].from_s;
  return stretches;
}

class Search {
 public:
  explicit Search(const Scenario& scenario) : scenario_(&scenario), world_(scenario) {
    for (std::size_t g = 0; g < scenario.groups.size(); ++g) {
      const auto& links = world_.plant().group(g).links;
      const auto found = std::find_if(bundles_.begin(), bundles_.end(),
                                      [&](const Bundle& b) { return b.links == links; });
      if (found == bundles_.end())
        bundles_.push_back({links, {g}});
      else
        found->groups.push_back(g);
    }
  }

  Plan::Phase next(const Stretch& stretch) {
    // One step, so that the events of its beginning have happened.
    world_.step();
    stretch_ = stretch;
    tried_ = 0;
    best_cost_ = 1e300;
    for (const double full : kFull) consider(filled(full));
    consider(by_capacity());
    consider(by_routing());
    if (!last_.empty()) consider(last_);
    improve();
    last_ = best_;
    Plan::Phase phase = phase_of(best_);
    enforce(phase, world_);
    while (world_.now_s() < stretch.to_s - 1e-9) world_.step();
    return phase;
  }

 private:
  [[nodiscard]] Plan::Phase phase_of(const Split& split) const {
    Plan::Phase phase{stretch_.from_s, {}};
    phase.weights.resize(scenario_->groups.size());
    for (std::size_t b = 0; b < bundles_.size(); ++b)
      for (const std::size_t g : bundles_[b].groups) phase.weights[g] = split[b];
    return phase;
  }

  double cost(const Split& split) {
    ++tried_;
    World world = world_;
    enforce(phase_of(split), world);
    Meter meter;
    const double begin_s =
        std::max(stretch_.from_s, std::min(scenario_->warm_up_s, stretch_.to_s - 10));
    const double end_s = std::min(stretch_.to_s, begin_s + kJudged_s);
    while (world.now_s() < end_s - 1e-9) {
      world.step();
      if (world.now_s() > begin_s)
        meter.count(world.plant());
      else
        meter.skip(world.plant());
    }
    return meter.figures(scenario_->loss_costs_ms).cost_ms;
  }

  bool consider(const Split& split) {
    const double found = cost(split);
    if (found >= best_cost_ * (1 - kLeast)) return false;
    best_cost_ = found;
    best_ = split;
    return true;
  }

  // Of one link, without any queue; what is lost by chance counts.
  [[nodiscard]] double price_ms(const Link& link) const {
    const LinkSpec& spec = link.spec();
    const double bad =
        spec.bursts.loss * spec.bursts.bad_s / (spec.bursts.bad_s + spec.bursts.good_s);
    return felt_ms(link) - link.state().rtt_ms + link.state().base_ms +
           scenario_->loss_costs_ms * (spec.loss + bad);
  }

  [[nodiscard]] double demand_bit_s(const Bundle& bundle) const {
    double demand = 0;
    for (const std::size_t g : bundle.groups)
      demand += world_.plant().demand(g).mean_bit_s((stretch_.from_s + stretch_.to_s) / 2);
    return demand;
  }

  // The cheapest links first, each up to a part of what it can carry; what is left over is shared
  // by capacity.
  [[nodiscard]] Split filled(double full) const {
    const Plant& plant = world_.plant();
    std::vector<double> room;
    for (std::size_t l = 0; l < plant.links(); ++l) {
      const LinkSpec& spec = plant.link(l).spec();
      const double cross = spec.cross.mean_bit_s * (spec.cross.kind == CrossKind::on_off ? 0.5 : 1);
      room.push_back(spec.outage == Outage::none ? std::max(0.0, full * spec.capacity_bit_s - cross)
                                                 : 0);
    }
    Split split;
    for (const Bundle& bundle : bundles_) {
      double left = demand_bit_s(bundle);
      std::vector<std::size_t> order(bundle.links.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return price_ms(plant.link(bundle.links[a])) < price_ms(plant.link(bundle.links[b]));
      });
      auto& shares = split.emplace_back(bundle.links.size(), 0.0);
      for (const std::size_t i : order) {
        const double taken = std::min(left, room[bundle.links[i]]);
        shares[i] = taken;
        room[bundle.links[i]] -= taken;
        left -= taken;
      }
      const auto spread = capacities(bundle);
      for (std::size_t i = 0; i < shares.size(); ++i) shares[i] += left * spread[i];
      normalise(shares);
    }
    return split;
  }

  [[nodiscard]] std::vector<double> capacities(const Bundle& bundle) const {
    std::vector<double> shares;
    for (const std::size_t l : bundle.links) {
      const LinkSpec& spec = world_.plant().link(l).spec();
      shares.push_back(spec.outage == Outage::none ? spec.capacity_bit_s : 0);
    }
    normalise(shares);
    return shares;
  }

  [[nodiscard]] Split by_capacity() const {
    Split split;
    for (const Bundle& bundle : bundles_) split.push_back(capacities(bundle));
    return split;
  }

  [[nodiscard]] Split by_routing() const {
    Split split;
    for (const Bundle& bundle : bundles_)
      split.push_back(world_.plant().group(bundle.groups.front()).routing);
    return split;
  }

  static void normalise(std::vector<double>& shares) {
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (double& share : shares)
      share = sum > 0 ? share / sum : 1.0 / static_cast<double>(shares.size());
  }

  void improve() {
    std::size_t paths = 0;
    for (const Bundle& bundle : bundles_) paths += bundle.links.size();
    const std::size_t budget = tried_ + std::min<std::size_t>(30 + 6 * paths, 90);
    for (const double step : kSteps)
      for (bool better = true; better && tried_ < budget;) {
        better = false;
        for (std::size_t b = 0; b < bundles_.size(); ++b)
          better = improve_bundle(b, step, budget) || better;
      }
  }

  bool improve_bundle(std::size_t b, double step, std::size_t budget) {
    bool better = false;
    const std::size_t paths = bundles_[b].links.size();
    for (std::size_t from = 0; from < paths; ++from)
      for (std::size_t to = 0; to < paths && tried_ < budget; ++to) {
        if (from == to || best_[b][from] <= 0) continue;
        Split split = best_;
        const double moved = std::min(step, split[b][from]);
        split[b][from] -= moved;
        split[b][to] += moved;
        better = consider(split) || better;
      }
    return better;
  }

  const Scenario* scenario_;
  World world_;
  std::vector<Bundle> bundles_;
  Stretch stretch_;
  Split best_;
  Split last_;
  double best_cost_ = 0;
  std::size_t tried_ = 0;
};

}  // namespace

Plan find_plan(const Scenario& scenario) {
  Search search(scenario);
  Plan plan;
  for (const Stretch& stretch : stretches_of(scenario)) plan.phases.push_back(search.next(stretch));
  return plan;
}

}  // namespace hopwise::simulation
