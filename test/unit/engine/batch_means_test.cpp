#include "core/engine/batch_means.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "core/engine/rtt_mix.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

TEST_CASE("Student's quantiles are those of the tables", "[proof]") {
  CHECK(student_t95(1) == Approx(12.706).epsilon(0.001));
  CHECK(student_t95(2) == Approx(4.303).epsilon(0.001));
  CHECK(student_t95(3) == Approx(3.182).epsilon(0.001));
  CHECK(student_t95(4) == Approx(2.776).epsilon(0.004));
  CHECK(student_t95(5) == Approx(2.571).epsilon(0.003));
  CHECK(student_t95(10) == Approx(2.228).epsilon(0.001));
  CHECK(student_t95(29) == Approx(2.045).epsilon(0.001));
  CHECK(student_t95(0) == student_t95(1));
  for (double f = 1; f < 40; f += 0.1) CHECK(student_t95(f) >= student_t95(f + 0.1) * 0.999);
}

TEST_CASE("values that resemble their neighbours say less", "[proof]") {
  std::vector<double> alternating;
  std::vector<double> steps;
  for (int i = 0; i < 30; ++i) {
    alternating.push_back(i % 2 ? 1 : -1);
    steps.push_back(i < 15 ? 1 : -1);
  }
  const auto a = mean_interval(alternating);
  const auto s = mean_interval(steps);
  REQUIRE(a);
  REQUIRE(s);
  CHECK(a->mean == Approx(0).margin(1e-9));
  CHECK(s->mean == Approx(0).margin(1e-9));
  CHECK(s->upper - s->lower > 5 * (a->upper - a->lower));
}

TEST_CASE("five batches, or one that is no number, have no interval", "[proof]") {
  std::vector<double> x(5, 1.0);
  CHECK_FALSE(mean_interval(x));
  x.push_back(1);
  REQUIRE(mean_interval(x));
  CHECK(mean_interval(x)->lower == Approx(1));
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    x.back() = bad;
    CHECK_FALSE(mean_interval(x));
  }
}

TEST_CASE("a mix weighs readings by their samples", "[proof]") {
  const auto point = [](double x, std::uint64_t samples) {
    PassiveRtt rtt;
    rtt.samples = samples;
    rtt.mean = rtt.p10 = rtt.p50 = rtt.p90 = rtt.p99 = ms(x);
    return rtt;
  };
  RttMix mix;
  CHECK(mix.median_ms() == 0);
  for (int i = 0; i < 10; ++i) CHECK(mix.add(point(100, 4)));
  CHECK(mix.add(point(20, 39)));
  CHECK(mix.median_ms() == Approx(100));
  CHECK(mix.add(point(20, 2)));
  CHECK(mix.median_ms() == Approx(20));
  CHECK(mix.samples() == Approx(81));
  CHECK(mix.mean_ms() == Approx((4000 + 820) / 81.0));
  for (std::size_t i = 11; i < RttMix::kMost; ++i) mix.add(point(20, 1));
  CHECK_FALSE(mix.add(point(20, 1)));  // no more fit
  mix.clear();
  CHECK(mix.samples() == 0);
}

TEST_CASE(
    "the mean refines a median that it lies near to, and leaves alone what it says nothing of",
    "[proof]") {
  const auto median = [](double told_ms, double mean_ms) {
    PassiveRtt rtt;
    rtt.samples = 100;
    rtt.p10 = ms(20);
    rtt.p50 = rtt.p90 = rtt.p99 = ms(told_ms);
    rtt.mean = ms(mean_ms);
    RttMix mix;
    CHECK(mix.add(rtt));
    return mix.median_ms();
  };
  CHECK(median(46, 45) == Approx(45));     // within what the histogram cannot tell
  CHECK(median(45, 38.75) == Approx(45));  // a quarter of the samples took 20 ms
  CHECK(median(45, 60) == Approx(45));
  double last = median(45, 45);  // between the two without a jump
  for (double mean = 45; mean > 41; mean -= 0.01) {
    CHECK(std::abs(median(45, mean) - last) < 0.02);
    last = median(45, mean);
  }
}
