#include "core/simulation/meter.hpp"

#include <algorithm>
#include <utility>

namespace hopwise::simulation {
namespace {

constexpr double kBin_ms = 0.1;
constexpr std::size_t kBins = 40'000;
constexpr double kSpike_ms = 200;

}  // namespace

double felt_ms(const Link& link) {
  const LinkSpec& spec = link.spec();
  return link.state().rtt_ms + spec.user_extra_ms + spec.jitter_ms + spec.spike * kSpike_ms;
}

Meter::Meter() : histogram_(kBins) {}

void Meter::add(double bits, double loss, double delay_ms) {
  offered_ += bits;
  const double arrived = bits * (1 - loss);
  arrived_ += arrived;
  delay_ += arrived * delay_ms;
  const auto bin = static_cast<std::size_t>(std::max(delay_ms, 0.0) / kBin_ms);
  histogram_[std::min(bin, kBins - 1)] += arrived;
}

double Meter::newly_refused(const Plant& plant) {
  double refused = 0;
  for (std::size_t g = 0; g < plant.groups(); ++g) refused += plant.demand(g).refused_bits();
  return refused - std::exchange(refused_, refused);
}

void Meter::skip(const Plant& plant) {
  newly_refused(plant);
}

void Meter::count(const Plant& plant) {
  for (std::size_t g = 0; g < plant.groups(); ++g) {
    const auto carried = plant.demand(g).carried();
    for (std::size_t i = 0; i < carried.size(); ++i) {
      const Link& link = plant.link(plant.group(g).links[i]);
      add(carried[i].total() * plant.step_s(), link.state().loss, felt_ms(link));
    }
  }
  offered_ += newly_refused(plant);
}

double Meter::quantile(double q) const {
  double left = q * arrived_;
  for (std::size_t bin = 0; bin < kBins; ++bin)
    if ((left -= histogram_[bin]) <= 0) return (static_cast<double>(bin) + 0.5) * kBin_ms;
  return kBins * kBin_ms;
}

Figures Meter::figures(double loss_costs_ms) const {
  Figures f;
  if (offered_ <= 0) return f;
  f.loss = std::max(0.0, 1 - arrived_ / offered_);
  if (arrived_ > 0) f.mean_ms = delay_ / arrived_;
  f.p50_ms = quantile(0.5);
  f.p99_ms = quantile(0.99);
  f.cost_ms = f.mean_ms * (1 - f.loss) + loss_costs_ms * f.loss;
  return f;
}

}  // namespace hopwise::simulation
