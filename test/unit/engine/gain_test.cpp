#include "core/engine/gain.hpp"

#include <cmath>
#include <random>

#include "core/engine/load.hpp"
#include "core/engine/weights.hpp"
#include "test/catch.hpp"

using namespace hopwise::engine;

TEST_CASE("the limits of the gain are those of the linearised loop", "[engine][law]") {
  CHECK(stable_gain(0) == Approx(2));
  CHECK(stable_gain(1) == Approx(1));
  CHECK(stable_gain(2) == Approx(0.618).margin(1e-3));
  CHECK(stable_gain(3) == Approx(0.445).margin(1e-3));
  CHECK(monotone_gain(0) == 1);
  CHECK(monotone_gain(1) == Approx(0.25));
  CHECK(monotone_gain(2) == Approx(0.148).margin(1e-3));
  CHECK(monotone_gain(3) == Approx(0.105).margin(1e-3));
}

TEST_CASE("a loop that answers late converges without overshoot at any gain that is scheduled",
          "[engine][law]") {
  std::mt19937 random(1);
  const auto dice = [&](double from, double to) {
    return from + (to - from) * static_cast<double>(random()) * 0x1p-32;
  };
  for (int i = 0; i < 2000; ++i) {
    const double slope[2] = {dice(0.05, 5), dice(0.05, 5)};
    const double best = dice(0.1, 0.9);  // where the costs are equal
    const int delay = 1 + i % 5;
    std::vector<double> past(static_cast<std::size_t>(delay) + 1, best > 0.5 ? 0.2 : 0.8);
    double overshoot = 0;
    for (int epoch = 0; epoch < 4000; ++epoch) {
      const double w = past.back();
      const double seen = past[past.size() - 1 - static_cast<std::size_t>(delay)];
      const std::vector<double> shares{w, 1 - w};
      const std::vector<double> costs{slope[0] * (seen - best), -slope[1] * (seen - best)};
      const std::vector<double> none{0, 0};
      const std::vector<double> measured{slope[0], slope[1]};
      const Schedule s = schedule(shares, {none, measured, delay}, dice(0.05, 1), 0.01);
      REQUIRE(s.gain <= monotone_gain(delay) + 1e-12);
      REQUIRE(s.gain < s.stable);
      std::vector<double> next(2);
      exponential_step(shares, costs, {s.rate, 0.02, 0.01}, next);
      past.push_back(next[0]);
      const double beyond = best > 0.5 ? next[0] - best : best - next[0];
      overshoot = std::max(overshoot, beyond);
    }
    INFO("slopes " << slope[0] << " " << slope[1] << " best " << best << " delay " << delay);
    CHECK(std::abs(past.back() - best) < 0.02);
    CHECK(overshoot < 0.03);
  }
}

TEST_CASE("the cost of load is convex, and free below the knee", "[engine][law]") {
  CHECK(load_cost(0.9) == 0);
  CHECK(load_cost(-1) == 0);
  CHECK(load_cost(std::nan("")) == 0);
  CHECK(load_cost(1) == Approx(1.5));
  double slope = 0;
  for (double rho = 0; rho < 3; rho += 0.001) {
    CHECK(load_slope(rho) >= slope);
    slope = load_slope(rho);
    CHECK((load_cost(rho + 1e-6) - load_cost(rho)) / 1e-6 == Approx(slope).margin(1e-2));
  }
}

TEST_CASE("a proximal step goes down the potential at whatever rate, and sums to one",
          "[engine][law]") {
  std::mt19937 random(2);
  const auto dice = [&](double from, double to) {
    return from + (to - from) * static_cast<double>(random()) * 0x1p-32;
  };
  for (int i = 0; i < 2000; ++i) {
    const std::size_t n = 2 + random() % 15;
    std::vector<double> shares(n), costs(n), next(n);
    std::vector<LoadLine> loads(n);
    double sum = 0;
    for (double& w : shares) sum += w = dice(0.02, 1);
    const double movable = dice(0.1, 3);
    for (std::size_t k = 0; k < n; ++k) {
      shares[k] /= sum;
      loads[k] = {dice(0, 0.5), movable, dice(0.4, 2), random() % 4 != 0};
      costs[k] = dice(0, 1) + loads[k].cost(shares[k]);
    }
    const double rate = std::exp(dice(-3, 5));
    proximal_step(shares, costs, rate, {loads, 1}, next);
    // The potential's change along the step, by quadrature.
    double total = 0;
    double change = 0;
    for (std::size_t k = 0; k < n; ++k) {
      total += next[k];
      constexpr int kParts = 400;
      const double d = (next[k] - shares[k]) / kParts;
      const double still = costs[k] - loads[k].cost(shares[k]);
      for (int p = 0; p < kParts; ++p)
        change += d * (still + loads[k].cost(shares[k] + (p + 0.5) * d));
    }
    CHECK(total == Approx(1).margin(1e-6));
    CHECK(change <= 1e-6);
  }
}
