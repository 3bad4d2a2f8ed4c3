#include "core/engine/loss_test.hpp"

#include <algorithm>
#include <cstdio>
#include <random>

#include "core/engine/delay_test.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

constexpr double kGap = 0.2;

bool chance(std::mt19937& random, double ratio) {
  return static_cast<double>(random()) < ratio * 0x1p32;
}

double largest(const LossTest& test, std::size_t of = LossTest::kBad.size()) {
  double value = 0;
  for (std::size_t i = 0; i < of; ++i) value = std::max(value, test.sums()[i].value);
  return value;
}

/// Probes until suspicion, of a path that loses `ratio` from the first on.
int probes_until_suspicion(double ratio, std::uint32_t seed) {
  const Options options;
  LossTest test(options);
  std::mt19937 random(seed);
  for (int n = 1;; ++n) {
    if (chance(random, ratio))
      test.lost(at(n * kGap), 0);
    else
      test.answered(at(n * kGap), 0);
    if (test.suspicious()) return n;
  }
}

double mean_probes(double ratio, std::uint32_t trials) {
  double sum = 0;
  for (std::uint32_t seed = 1; seed <= trials; ++seed) sum += probes_until_suspicion(ratio, seed);
  return sum / trials;
}

bool same(const LossTest& a, const LossTest& b) {
  for (std::size_t i = 0; i < LossTest::kBad.size(); ++i) {
    const auto& x = a.sums()[i];
    const auto& y = b.sums()[i];
    if (x.value != y.value || (x.value > 0 && (x.lost != y.lost || x.sent != y.sent))) return false;
  }
  return a.calm() == b.calm();
}

}  // namespace

TEST_CASE("suspicion needs few probes where the change is large", "[engine]") {
  struct {
    double ratio;
    double wald;  // ln((1-beta)/alpha) over the mean gain of a probe
  } const expected[] = {{1, 2}, {0.30, 7}, {0.10, 33}, {0.05, 97}};
  for (const auto& e : expected) {
    const double mean = mean_probes(e.ratio, 2000);
    std::printf("  suspicion at %3.0f %% loss: mean %.1f probes (Wald: about %.0f)\n",
                100 * e.ratio, mean, e.wald);
    CHECK(mean > 0.5 * e.wald);
    CHECK(mean < 1.4 * e.wald);
  }
  CHECK(mean_probes(1, 10) == 2);
}

TEST_CASE("false alarms are as rare as the threshold promises", "[engine]") {
  // Thresholds low enough to be seen: of four sums, one alarm in e^h / 4 probes, or fewer.
  const Options options;
  for (const double h : {4.0, 6.0, 8.0}) {
    LossTest test(options);
    std::mt19937 random(7);
    int alarms = 0;
    const int probes = 2'000'000;
    for (int n = 0; n < probes; ++n) {
      if (chance(random, 0.005))
        test.lost(at(n * kGap), 0);
      else
        test.answered(at(n * kGap), 0);
      if (largest(test, LossTest::kAlarms) < h) continue;
      ++alarms;
      test.clear();
    }
    const double between = static_cast<double>(probes) / std::max(alarms, 1);
    std::printf("  threshold %.0f: %.0f probes between false alarms (at least %.0f promised)\n", h,
                between, std::exp(h) / LossTest::kAlarms);
    CHECK(between >= std::exp(h) / LossTest::kAlarms);
  }
  CHECK(alarm_threshold(5, 4, std::chrono::hours(24 * 365)) == Approx(20.26).margin(0.01));
  CHECK(alarm_threshold(0, 4, std::chrono::hours(1)) == Approx(kSuspicion));
}

TEST_CASE("pooled sums of anchors give false alarms no more often", "[engine]") {
  const Options options;
  const double h = 7;
  for (const std::size_t anchors : {2U, 3U, 5U}) {
    const std::size_t agree = anchors == 2 ? 2 : anchors / 2 + 1;
    std::vector<LossTest> tests(anchors, LossTest(options));
    std::vector<const LossTest*> all;
    for (const LossTest& t : tests) all.push_back(&t);
    std::mt19937 random(11);
    int alarms = 0;
    const int rounds = 400'000;
    for (int n = 0; n < rounds; ++n) {
      for (LossTest& t : tests) {
        if (chance(random, 0.005))
          t.lost(at(n * kGap), 0);
        else
          t.answered(at(n * kGap), 0);
      }
      const auto pooled = pool(all, agree, 0);
      if (!pooled || pooled->value < h) continue;
      ++alarms;
      for (LossTest& t : tests) t.clear();
    }
    const double between =
        static_cast<double>(rounds) * static_cast<double>(anchors) / std::max(alarms, 1);
    std::printf("  %zu anchors pooled, threshold %.0f: %.0f probes between false alarms\n", anchors,
                h, between);
    CHECK(between >= std::exp(h) / LossTest::kAlarms);
  }
}

TEST_CASE("one anchor's loss is no loss of the path, however loud", "[engine]") {
  const Options options;
  std::vector<LossTest> tests(3, LossTest(options));
  for (int n = 0; n < 200; ++n) {
    tests[0].lost(at(n * kGap), 0);
    tests[1].answered(at(n * kGap), 0);
    tests[2].answered(at(n * kGap), 0);
  }
  const std::vector<const LossTest*> all{&tests[0], &tests[1], &tests[2]};
  CHECK(pool(all, 1, 0.05)->value > 25);
  CHECK_FALSE(pool(all, 2, 0.05));
  for (int n = 200; n < 240; ++n) {  // two that lose a little agree with it
    const bool lost = n % 8 == 0;
    for (LossTest* t : {&tests[1], &tests[2]})
      lost ? t->lost(at(n * kGap), 0) : t->answered(at(n * kGap), 0);
  }
  REQUIRE(pool(all, 2, 0.05));
  CHECK(pool(all, 2, 0.05)->lost == 10);
}

TEST_CASE("a late reply takes its loss back, as if it had never been", "[engine]") {
  const Options options;
  std::mt19937 random(3);
  LossTest with(options);
  LossTest without(options);
  for (int n = 0; n < 2000; ++n) {
    const TimePoint sent = at(n * 0.05);
    const bool lost = random() % 20 == 0;
    const bool late = random() % 2 == 0;
    lost ? with.lost(sent, 0) : with.answered(sent, 0);
    lost && !late ? without.lost(sent, 0) : without.answered(sent, 0);
    if (lost && late) {
      CHECK_FALSE(same(with, without));
      with.take_back(sent);
    }
    REQUIRE(same(with, without));
  }
}

TEST_CASE("the order of reports means nothing, only when probes left", "[engine]") {
  const Options options;
  std::mt19937 random(5);
  std::vector<std::pair<double, bool>> probes;
  for (int n = 0; n < 150; ++n) probes.emplace_back(n * 0.05, random() % 6 == 0);
  LossTest sorted(options);
  for (const auto& [t, lost] : probes) lost ? sorted.lost(at(t), 0) : sorted.answered(at(t), 0);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(probes.begin(), probes.end(), random);
    LossTest shuffled(options);
    for (const auto& [t, lost] : probes)
      lost ? shuffled.lost(at(t), 0) : shuffled.answered(at(t), 0);
    CHECK(same(sorted, shuffled));
  }
}

TEST_CASE("a burst counts once for an alarm", "[engine]") {
  const Options options;
  LossTest burst(options);
  LossTest single(options);
  for (int i = 0; i < 10; ++i) burst.lost(at(i * 0.01), 0);  // 100 probes a second
  single.lost(at(0), 0);
  CHECK(largest(burst, LossTest::kAlarms) == largest(single, LossTest::kAlarms));
  CHECK(burst.suspicious());
  CHECK_FALSE(single.suspicious());
}

TEST_CASE("steady loss becomes usual if it is little and no fault", "[engine]") {
  const Options options;
  for (const double ratio : {0.02, 0.30}) {
    LossTest test(options);
    std::mt19937 random(9);
    const auto run = [&](int from, int to) {
      for (int n = from; n < to; ++n)
        chance(random, ratio) ? test.lost(at(n * kGap), 0) : test.answered(at(n * kGap), 0);
    };
    test.learn(false);
    run(0, 6000);
    CHECK(test.usual() == Approx(options.usual_loss));
    test.learn(true);
    run(6000, 16000);
    CHECK(test.usual() == Approx(ratio < 0.1 ? ratio : options.usual_loss).margin(0.008));
  }
}

TEST_CASE("a flow that loses alone is named", "[engine]") {
  const Options options;
  LossTest test(options);
  for (int n = 0; n < 40; ++n) {
    const auto flow = static_cast<std::uint8_t>(n % 4);
    flow == 2 ? test.lost(at(n * 0.1), flow) : test.answered(at(n * 0.1), flow);
  }
  REQUIRE(test.losing_flow());
  CHECK(*test.losing_flow() == 2);
  test.lost(at(4.1), 1);
  CHECK_FALSE(test.losing_flow());
}

TEST_CASE("a small step that stays is told, spikes and noise are not", "[engine]") {
  const Options options;
  std::mt19937 random(13);
  const auto noisy = [&](double rtt) { return rtt + static_cast<double>(random() % 1000) / 500; };
  DelayTest test(options);
  double t = 0;
  const auto run = [&](double seconds, double rtt) {
    for (const double end = t + seconds; t < end; t += 0.2) test.observe(noisy(rtt), at(t));
  };
  for (int i = 0; i < 60; ++i) {
    run(10, 20);
    CHECK_FALSE(test.shift());
    test.observe(200, at(t));
    test.observe(220, at(t));
    CHECK_FALSE(test.shift());
  }
  run(3, 25);
  REQUIRE(test.shift());
  CHECK(*test.shift() == Approx(5).margin(1.5));
  run(90, 25);
  CHECK_FALSE(test.shift());  // it is the usual one now
  run(60, 20);
  CHECK_FALSE(test.shift());
}
