#include "core/engine/weights.hpp"

#include <numeric>
#include <random>

#include "test/catch.hpp"

using namespace hopwise::engine;

namespace {

double total(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0);
}

struct Dice {
  std::mt19937 random;
  explicit Dice(std::uint32_t seed) : random(seed) {}
  std::uint32_t operator()(std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); }
};

}  // namespace

TEST_CASE("bounded shares sum to one, keep their bounds, and proportion between them", "[engine]") {
  Dice below(1);
  for (int i = 0; i < 5000; ++i) {
    const std::size_t n = 1 + below(16);
    std::vector<double> wanted(n);
    std::vector<Bounds> bounds(n);
    double lower = 0, upper = 0;
    for (std::size_t k = 0; k < n; ++k) {
      wanted[k] = below(1000) / 1000.0;
      bounds[k].upper = below(3) == 0 ? 0 : below(3) == 0 ? below(1000) / 1000.0 : 1;
      bounds[k].lower = std::min(0.01, bounds[k].upper);
      lower += bounds[k].lower;
      upper += bounds[k].upper;
    }
    const auto shares = bounded_shares(wanted, bounds);
    if (upper == 0) {
      CHECK(total(shares) == 0);
      continue;
    }
    CHECK(total(shares) == Approx(1).margin(1e-9));
    if (upper < 1) continue;
    for (std::size_t k = 0; k < n; ++k) {
      CHECK(shares[k] >= bounds[k].lower - 1e-6);
      CHECK(shares[k] <= bounds[k].upper + 1e-6);
    }
  }
  const auto split = bounded_shares(std::vector<double>{0.5, 0.3, 0.2},
                                    std::vector<Bounds>{{0, 0}, {0.01, 1}, {0.01, 1}});
  CHECK(split[1] == Approx(0.6).margin(1e-6));
  CHECK(split[2] == Approx(0.4).margin(1e-6));
}

TEST_CASE("a step moves towards the cheaper, no further than the clamp, never below the floor",
          "[engine]") {
  Dice below(2);
  for (int i = 0; i < 5000; ++i) {
    const std::size_t n = 2 + below(15);
    std::vector<double> shares(n), costs(n);
    for (double& w : shares) w = 0.02 + below(1000) / 1000.0;
    const double sum = total(shares);
    for (double& w : shares) w = w / sum;
    for (double& c : costs) c = below(300) / 100.0;
    std::vector<double> next(n);
    exponential_step(shares, costs, {}, next);
    CHECK(total(next) == Approx(1).margin(1e-9));
    for (std::size_t k = 0; k < n; ++k) {
      CHECK(std::abs(next[k] - shares[k]) <= 0.02 + 1e-9);
      CHECK(next[k] >= std::min(0.01, shares[k]) - 1e-6);
    }
    double before = 0, after = 0;
    for (std::size_t k = 0; k < n; ++k) {
      before += shares[k] * costs[k];
      after += next[k] * costs[k];
    }
    CHECK(after <= before + 1e-6);
  }
}

TEST_CASE("equal costs move nothing, and unequal ones converge to the floor and stop", "[engine]") {
  std::vector<double> shares{0.7, 0.2, 0.1};
  std::vector<double> next(3);
  exponential_step(shares, std::vector<double>{0.3, 0.3, 0.3}, {}, next);
  for (std::size_t k = 0; k < 3; ++k) CHECK(next[k] == Approx(shares[k]).margin(1e-6));
  for (int i = 0; i < 500; ++i) {
    exponential_step(shares, std::vector<double>{0.3, 0.2, 0.3}, {}, next);
    CHECK(next[0] <= shares[0] + 1e-6);
    shares = next;
  }
  CHECK(shares[0] == Approx(0.01).margin(1e-3));
  CHECK(shares[1] == Approx(0.98).margin(1e-3));
  exponential_step(shares, std::vector<double>{0.3, 0.2, 0.3}, {}, next);
  CHECK(next[1] == Approx(shares[1]).margin(1e-6));
}
