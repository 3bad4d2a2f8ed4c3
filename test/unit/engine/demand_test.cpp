#include "core/engine/demand.hpp"

#include <cmath>
#include <numeric>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

constexpr double kMbit = 1e6;
const TimePoint kStart{1000h};

PathReading reading(TimePoint at, double bit_s, Duration over = 1s) {
  PathReading r{PathId{1}, at, over};
  r.traffic.forward_bytes = static_cast<std::uint64_t>(bit_s / 8 * seconds(over));
  return r;
}

/// Flows that stay where they began, for exponential lifetimes; `pinned` never move.
struct Flows {
  Demand demand;
  double movable = 100 * kMbit;
  double lifetime_s = 10;
  std::vector<double> pinned;
  std::vector<double> weights;
  std::vector<double> carried;
  TimePoint at = kStart;

  explicit Flows(std::vector<double> w) : pinned(w.size()), weights(std::move(w)) {
    const std::vector<int> fresh(weights.size(), -1);
    demand.set_paths(fresh);
    for (const double weight : weights) carried.push_back(weight * movable);
  }
  void run(Duration for_) {
    for (const TimePoint until = at + for_; at < until;) {
      at += 1s;
      for (std::size_t i = 0; i < weights.size(); ++i) {
        carried[i] += (1 - std::exp(-1 / lifetime_s)) * (weights[i] * movable - carried[i]);
        REQUIRE(demand.observe(i, reading(at, carried[i] + pinned[i]), weights[i]));
      }
    }
  }
};

}  // namespace

TEST_CASE("the demand is the sum of what the paths carry, and ends with the readings",
          "[engine][demand]") {
  Flows flows({0.5, 0.5});
  CHECK_FALSE(flows.demand.total_bit_s(kStart));
  flows.run(30s);
  CHECK(*flows.demand.total_bit_s(flows.at) == Approx(100 * kMbit).epsilon(0.01));
  CHECK(flows.demand.carried_bit_s(0) == Approx(50 * kMbit).epsilon(0.01));
  CHECK(flows.demand.total_bit_s(flows.at + 10s));
  CHECK_FALSE(flows.demand.total_bit_s(flows.at + 11s));
}

TEST_CASE("a path whose readings cease counts no more, its silence is no pinned load",
          "[engine][demand]") {
  Flows flows({0.5, 0.5});
  flows.run(120s);
  for (int i = 0; i < 60; ++i)
    REQUIRE(flows.demand.observe(0, reading(flows.at += 1s, 50 * kMbit), 1));
  CHECK(*flows.demand.total_bit_s(flows.at) == Approx(50 * kMbit).epsilon(0.01));
}

TEST_CASE("one second of a burst is no demand", "[engine][demand]") {
  Flows flows({1.0});
  flows.run(60s);
  std::mt19937 random(3);
  std::exponential_distribution<double> burst(1);
  double low = 1e12;
  double high = 0;
  double peak = 0;
  for (int i = 0; i < 600; ++i) {
    const double second = 100 * kMbit * burst(random);
    peak = std::max(peak, second);
    flows.demand.observe(0, reading(flows.at += 1s, second), 1);
    if (i < 20) continue;
    low = std::min(low, *flows.demand.total_bit_s(flows.at));
    high = std::max(high, *flows.demand.total_bit_s(flows.at));
  }
  CHECK(peak > 500 * kMbit);
  CHECK(low > 30 * kMbit);
  CHECK(high < peak / 2);
}

TEST_CASE("the prediction has no lag: it is where the weights lead", "[engine][demand]") {
  Flows flows({0.8, 0.2});
  flows.lifetime_s = GENERATE(3.0, 10.0, 40.0);
  flows.run(60s);
  for (int move = 0; move < 6; ++move) {  // to and fro, to learn the lifetime
    std::swap(flows.weights[0], flows.weights[1]);
    flows.run(60s);
  }
  flows.run(300s);
  flows.weights = {0.4, 0.6};
  for (int i = 0; i < 20; ++i) {
    flows.run(5s);
    CHECK(flows.demand.predicted_bit_s(0, 0.4) == Approx(40 * kMbit).epsilon(0.2));
    CHECK(flows.demand.predicted_bit_s(1, 0.6) == Approx(60 * kMbit).epsilon(0.2));
  }
  CHECK(flows.demand.lifetime_s() >= flows.lifetime_s / 2);
  CHECK(flows.demand.lifetime_s() <= flows.lifetime_s * 2);
}

TEST_CASE("what no weight moves is pinned to its path", "[engine][demand]") {
  Flows flows({0.5, 0.5});
  flows.pinned[0] = 30 * kMbit;  // an elephant
  flows.run(300s);
  CHECK(flows.demand.pinned_bit_s(0) == Approx(15 * kMbit).epsilon(0.05));
  CHECK(flows.demand.pinned_bit_s(1) == Approx(-15 * kMbit).epsilon(0.05));
  CHECK(flows.demand.predicted_bit_s(0, 0.5) == Approx(80 * kMbit).epsilon(0.05));
  flows.weights = {0.1, 0.9};
  flows.run(600s);
  CHECK(flows.demand.predicted_bit_s(0, 0.1) == Approx(40 * kMbit).epsilon(0.05));
  CHECK(flows.demand.predicted_bit_s(1, 0.9) == Approx(90 * kMbit).epsilon(0.05));
  CHECK(flows.demand.predicted_bit_s(1, 0) == Approx(0).margin(1 * kMbit));
}

TEST_CASE("the pinned loads sum to nothing, whatever the traffic does", "[engine][demand]") {
  Flows flows({0.2, 0.3, 0.5});
  std::mt19937 random(11);
  std::uniform_real_distribution<double> any(0, 1);
  for (int i = 0; i < 300; ++i) {
    for (double& p : flows.pinned) p = any(random) * 20 * kMbit;
    if (i % 10 == 0) {
      for (double& w : flows.weights) w = any(random);
      const double sum = std::accumulate(flows.weights.begin(), flows.weights.end(), 0.0);
      for (double& w : flows.weights) w /= sum;
    }
    flows.run(1s);
    double pinned = 0;
    double predicted = 0;
    for (std::size_t p = 0; p < 3; ++p) {
      pinned += flows.demand.pinned_bit_s(p);
      predicted += flows.demand.predicted_bit_s(p, flows.weights[p]);
    }
    CHECK(pinned == Approx(0).margin(1));
    CHECK(predicted >= 0.999 * *flows.demand.total_bit_s(flows.at));
  }
}

TEST_CASE("a path that fails leaves no shadow of its load", "[engine][demand]") {
  Flows flows({0.5, 0.5});
  flows.run(120s);
  flows.weights = {0, 1};
  flows.carried = {0, 100 * kMbit};  // no flow stays on it
  flows.run(30s);
  CHECK(std::abs(flows.demand.pinned_bit_s(0)) < 5 * kMbit);
  CHECK(flows.demand.predicted_bit_s(1, 1) == Approx(100 * kMbit).epsilon(0.05));
}

TEST_CASE("what routing carries counts where routing carries it", "[engine][demand]") {
  Demand demand;
  const std::vector<int> fresh{-1, -1};
  demand.set_paths(fresh);
  const std::vector<double> shares{0.75, 0.25};
  TimePoint at = kStart;
  for (int i = 0; i < 300; ++i) {  // a dry run: all flows are left to routing
    at += 1s;
    ControlReading control{GroupId{1}, at, 1s};
    control.traffic.forward_bytes = 10'000'000;
    REQUIRE(demand.observe(control, shares));
    for (std::size_t p = 0; p < 2; ++p) REQUIRE(demand.observe(p, reading(at, 0), shares[p]));
  }
  CHECK(*demand.total_bit_s(at) == Approx(80 * kMbit));
  CHECK(demand.carried_bit_s(0) == Approx(60 * kMbit));
  CHECK(demand.predicted_bit_s(0, 0.1) == Approx(8 * kMbit).epsilon(0.05));
  ControlReading wrong{GroupId{1}, at + 1s, 1s};
  CHECK_FALSE(demand.observe(wrong, std::vector<double>{1}));
  CHECK_FALSE(demand.observe(wrong, std::vector<double>{NAN, 1}));
}

TEST_CASE("paths that stay keep their figures", "[engine][demand]") {
  Flows flows({0.3, 0.7});
  flows.run(60s);
  const std::vector<int> next{1, -1};
  flows.demand.set_paths(next);
  CHECK(flows.demand.carried_bit_s(0) == Approx(70 * kMbit).epsilon(0.01));
  CHECK(flows.demand.carried_bit_s(1) == 0);
}

TEST_CASE("impossible readings of demand are refused", "[engine][demand]") {
  Flows flows({0.5, 0.5});
  flows.run(30s);
  const double before = *flows.demand.total_bit_s(flows.at);
  const TimePoint next = flows.at + 1s;
  CHECK_FALSE(flows.demand.observe(2, reading(next, 1), 0.5));
  CHECK_FALSE(flows.demand.observe(0, reading(next, 1), NAN));
  CHECK_FALSE(flows.demand.observe(0, reading(next, 1), -0.1));
  CHECK_FALSE(flows.demand.observe(0, reading(next, 1), 1.1));
  CHECK_FALSE(flows.demand.observe(0, reading(next, 1, 2h), 0.5));
  CHECK_FALSE(flows.demand.observe(0, reading(flows.at, 1), 0.5));
  CHECK_FALSE(flows.demand.observe(0, reading(flows.at - 5s, 1), 0.5));
  PathReading absurd{PathId{1}, next, 1s};
  absurd.traffic.forward_bytes = ~0ULL;
  CHECK_FALSE(flows.demand.observe(0, absurd, 0.5));
  absurd.over = 0s;
  CHECK_FALSE(flows.demand.observe(0, absurd, 0.5));
  CHECK(*flows.demand.total_bit_s(flows.at) == before);
  CHECK(flows.demand.predicted_bit_s(0, NAN) == 0);
}
