// What demand is planned with: rises at once, falls when proven, chance never.
#include "core/engine/plan.hpp"

#include <cmath>
#include <random>

#include "core/engine/load.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

/// One path that carries all of a demand of flows with exponential lifetimes.
struct Planned {
  Demand demand;
  Plan plan;
  double mean = 1e9;
  double flow = 1e6;
  double now_bit_s = 1e9;
  TimePoint at{1000h};
  std::mt19937 random{1};

  Planned() { demand.set_paths(std::vector<int>{-1}); }
  // The fluid of many flows: an Ornstein-Uhlenbeck process of their variance.
  void second() {
    std::normal_distribution<double> normal;
    const double kept = std::exp(-0.1);
    now_bit_s = std::max(0.0, mean + kept * (now_bit_s - mean) +
                                  std::sqrt((1 - kept * kept) * flow * mean) * normal(random));
    at += 1s;
    PathReading r{PathId{1}, at, 1s};
    r.traffic.forward_bytes = static_cast<std::uint64_t>(now_bit_s / 8);
    demand.observe(0, r, 1);
    plan.advance(demand, 1, at);
  }
  void run(int s) {
    while (s-- > 0) second();
  }
  [[nodiscard]] double planned() const { return plan.scale() * *demand.total_bit_s(at); }
};

}  // namespace

TEST_CASE("a plan follows a rise within seconds, and a fall once it is proven",
          "[engine][demand]") {
  Planned p;
  p.run(300);
  CHECK(p.planned() == Approx(1e9).epsilon(0.03));
  p.now_bit_s = p.mean = 1.5e9;
  p.run(12);
  CHECK(p.planned() > 1.3e9);
  p.run(300);
  p.now_bit_s = p.mean = 1e9;
  p.run(60);
  CHECK(p.planned() == Approx(1e9).epsilon(0.05));
}

TEST_CASE("of a rise a plan expects what is still to come", "[engine][demand]") {
  Planned p;
  p.flow = 0;
  p.mean = p.now_bit_s = 600e6;
  p.run(300);
  p.mean = 1200e6;  // its flows live for 10 s
  p.run(7);
  for (int t = 8; t < 40; ++t) {
    p.second();
    INFO(t << " s: " << *p.demand.total_bit_s(p.at) << " planned " << p.planned());
    CHECK(p.planned() > 0.98 * *p.demand.total_bit_s(p.at));
    CHECK(p.planned() < 1300e6);
  }
  p.run(120);
  CHECK(p.planned() == Approx(1200e6).epsilon(0.02));
}

TEST_CASE("a plan does not follow the chance of few large flows", "[engine][demand]") {
  Planned p;
  p.flow = 20e6;
  p.run(600);
  double lowest = 1e12;
  double lowest_demand = 1e12;
  for (int s = 0; s < 3600; ++s) {
    p.second();
    lowest = std::min(lowest, p.planned());
    lowest_demand = std::min(lowest_demand, *p.demand.total_bit_s(p.at));
  }
  CHECK(lowest_demand < 0.75e9);
  CHECK(lowest > 0.8e9);
}

TEST_CASE("what a demand strays by is known, and never taken for nothing before",
          "[engine][demand]") {
  for (const double flow : {1e6, 20e6}) {
    Planned p;
    p.flow = flow;
    p.run(5);
    CHECK(std::sqrt(p.demand.variance(1)) > 0.02e9);
    p.run(1200);
    INFO("flows of " << flow << ": " << p.demand.variance(1));
    CHECK(p.demand.variance(1) > 0.4 * flow * 1e9);
    CHECK(p.demand.variance(1) < 2.5 * flow * 1e9);
  }
}

TEST_CASE("a load that wavers costs the mean of what it costs", "[engine][law]") {
  for (const double sigma : {0.01, 0.05, 0.2})
    for (double rho = 0.3; rho < 1.4; rho += 0.05) {
      double mean = 0;
      double slope = 0;
      double all = 0;
      for (double z = -8; z < 8; z += 0.001) {
        const double part = std::exp(-z * z / 2);
        mean += part * load_cost(rho + sigma * z);
        slope += part * load_slope(rho + sigma * z);
        all += part;
      }
      INFO("rho " << rho << " sigma " << sigma);
      CHECK(load_cost(rho, sigma) == Approx(mean / all).margin(1e-4));
      CHECK(load_slope(rho, sigma) == Approx(slope / all).margin(1e-3));
      CHECK(load_cost(rho, sigma) >= load_cost(rho) - 1e-12);  // convex
    }
}
