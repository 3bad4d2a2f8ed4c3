// Control flows against steered ones, on simulated traffic.
#include "core/engine/proof.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

// The data path's histogram knows a time to 1/32: its buckets' middles.
double quantised(double x_ms) {
  const double step = std::exp2(std::floor(std::log2(x_ms))) / 16;
  return (std::floor(x_ms / step) + 0.5) * step;
}

PassiveRtt summary(std::vector<double> times_ms) {
  std::sort(times_ms.begin(), times_ms.end());
  const auto quantile = [&](double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * double(times_ms.size())));
    return ms(quantised(times_ms[std::max<std::size_t>(rank, 1) - 1]));
  };
  double sum = 0;
  for (const double t : times_ms) sum += t;
  PassiveRtt rtt;
  rtt.samples = times_ms.size();
  rtt.mean = ms(sum / double(times_ms.size()));
  rtt.p10 = quantile(0.1);
  rtt.p50 = quantile(0.5);
  rtt.p90 = quantile(0.9);
  rtt.p99 = quantile(0.99);
  return rtt;
}

struct Flows {
  double rtt_ms = 20;
  double noise_ms = 2;  // exponential, on top
  int samples = 50;     // a second
  double loss = 0;
  std::uint64_t segments = 1000;  // a second
};

// Two steered paths and the control flows, told once a second.
struct World {
  explicit World(std::uint32_t seed = 1) : random(seed) {}

  std::pair<PathTraffic, std::optional<PassiveRtt>> second(const Flows& f, double shared_ms) {
    PathTraffic traffic;
    traffic.segments = f.segments;
    traffic.retransmitted = std::binomial_distribution<std::uint64_t>(f.segments, f.loss)(random);
    if (f.samples == 0) return {traffic, std::nullopt};
    std::vector<double> times;
    std::exponential_distribution<double> noise(1 / f.noise_ms);
    for (int i = 0; i < f.samples; ++i)
      times.push_back(std::max(0.1, f.rtt_ms + shared_ms + noise(random)));
    return {traffic, summary(std::move(times))};
  }

  void run(double seconds) {
    for (const double end = now_s + seconds; now_s < end;) {
      now_s += 1;
      std::normal_distribution<double> step(0, wander_ms);
      for (double* w : {&wander_control, &wander_steered})
        *w = correlation * *w + std::sqrt(1 - correlation * correlation) * step(random);
      const auto c = second(control, wander_control);
      proof.observe(ControlReading{GroupId{1}, at(now_s), ms(1000), c.first, c.second});
      std::uint32_t id = 0;
      for (const Flows& f : steered) {
        const auto s = second(f, wander_steered);
        proof.observe(PathReading{PathId{++id}, at(now_s), ms(1000), s.first, s.second});
      }
      proof.advance(at(now_s));
      if (each_second) each_second();
    }
  }

  [[nodiscard]] bool reverted() const { return proof.reverted(at(now_s)); }
  /// How long until `reverted()` is as told.
  double until(bool wanted, double limit_s) {
    const double start = now_s;
    while (reverted() != wanted && now_s - start < limit_s) run(1);
    return now_s - start;
  }

  Proof proof;
  Flows control{.samples = 10, .segments = 100};
  std::vector<Flows> steered{Flows{}, Flows{}};
  double wander_ms = 0;    // of a side as a whole ...
  double correlation = 0;  // ... from second to second
  double wander_control = 0, wander_steered = 0;
  double now_s = 0;
  std::mt19937 random;
  std::function<void()> each_second;
};

}  // namespace

TEST_CASE("a gain is told with an interval around the truth", "[proof]") {
  World w;
  w.control.rtt_ms = 30;
  w.run(300);
  REQUIRE(w.proof.gain());
  const Gain& g = *w.proof.gain();
  CHECK(g.gain_ms == Approx(10).margin(1));
  CHECK(g.lower_ms <= 10);
  CHECK(g.upper_ms >= 10);
  CHECK(g.upper_ms - g.lower_ms < 2);
  CHECK(g.control_ms - g.steered_ms == Approx(g.gain_ms));
  CHECK(g.samples >= 2000);
  CHECK_FALSE(w.reverted());
}

TEST_CASE("too few samples or batches give no gain", "[proof]") {
  World w;
  w.run(50);
  CHECK_FALSE(w.proof.gain());
  w.run(40);
  CHECK(w.proof.gain());
  SECTION("nor do control flows that have ceased") {
    w.control.samples = 0;
    w.run(330);
    CHECK_FALSE(w.proof.gain());
  }
  SECTION("nor a pause of all readings") {
    w.now_s += 330;
    w.run(1);
    CHECK_FALSE(w.proof.gain());
  }
}

TEST_CASE("few control flows make longer batches, not none", "[proof]") {
  World w;
  w.control.samples = 1;
  w.run(300);
  REQUIRE(w.proof.gain());
  CHECK(std::abs(w.proof.gain()->gain_ms) < 2);
}

// Nominally 95 %. The last is correlated over 20 s: longer than a batch.
TEST_CASE("the interval holds what it promises, also when seconds resemble each other", "[proof]") {
  for (const double correlation : {0.0, 0.8, 0.95}) {
    int told = 0;
    int covered = 0;
    for (std::uint32_t seed = 1; seed <= 300; ++seed) {
      World w(seed);
      w.wander_ms = 2;
      w.correlation = correlation;
      w.control.noise_ms = 8;
      for (Flows& f : w.steered) f = {.noise_ms = 8, .samples = 20};
      w.run(310);
      if (!w.proof.gain()) continue;
      ++told;
      covered += w.proof.gain()->lower_ms <= 0 && w.proof.gain()->upper_ms >= 0;
    }
    CAPTURE(correlation, told, covered);
    CHECK(told == 300);
    CHECK(covered >= 0.90 * told);
    CHECK(covered < told);  // an interval of everything says nothing
  }
}

TEST_CASE("steering that surely hurts for five minutes is reverted, then tried again", "[proof]") {
  World w;
  w.control.rtt_ms = 15;
  const double took = w.until(true, 1000);
  CHECK(took >= 300);
  CHECK(took <= 400);
  CHECK_THAT(w.proof.evidence(), Catch::Contains("gain_ms=-5") && Catch::Contains("revert_s=600"));
  CHECK_FALSE(w.proof.gain());  // both sides follow routing now
  w.run(300);
  CHECK_FALSE(w.proof.gain());
  CHECK(w.until(false, 1000) == Approx(300).margin(2));

  SECTION("the next time for twice as long") {
    CHECK(w.until(true, 1000) >= 300);
    CHECK(w.until(false, 10000) == Approx(1200).margin(2));
  }
  SECTION("a day without forgets it") {
    w.control.rtt_ms = 25;
    w.run(24 * 3600 + 10);
    w.control.rtt_ms = 15;
    CHECK(w.until(true, 1500) >= 300);
    CHECK(w.until(false, 10000) == Approx(600).margin(2));
  }
}

TEST_CASE("reverts double up to a day", "[proof]") {
  World w;
  w.control.rtt_ms = 10;
  double longest = 0;
  for (int i = 0; i < 10; ++i) {
    w.until(true, 1000);
    REQUIRE(w.reverted());
    GroupMemory m;
    w.proof.remember(m, at(w.now_s));
    longest = std::max(longest, seconds(m.reverted_for));
    w.now_s += seconds(m.reverted_for);  // nothing is observed meanwhile
    w.run(1);
  }
  CHECK(longest == Approx(24 * 3600).margin(2));
}

TEST_CASE("what hurts less than a millisecond, or for a short while, is not reverted", "[proof]") {
  World w;
  SECTION("half a millisecond") {
    w.control.rtt_ms = 19.5;
  }
  SECTION("less than the histograms tell apart") {
    w.control.rtt_ms = 198;
    for (Flows& f : w.steered) f.rtt_ms = 200;
  }
  SECTION("four minutes, then a break") {
    w.each_second = [&] {
      const bool break_now = std::fmod(w.now_s, 600) > 240;
      w.control.rtt_ms = break_now ? 30 : 15;
    };
  }
  CHECK(w.until(true, 3600) >= 3600);
}

TEST_CASE("noise alone never reverts: a day of paths that wander", "[proof]") {
  World w(7);
  w.wander_ms = 3;
  w.correlation = 0.95;
  w.control.noise_ms = 5;
  CHECK(w.until(true, 24 * 3600) >= 24 * 3600);
}

// Both sides see the same fast and slow path; of the control flows only few samples come.
TEST_CASE("a mixture of fast and slow paths is no harm in itself", "[proof]") {
  World w(3);
  w.steered = {Flows{.rtt_ms = 20, .samples = 45}, Flows{.rtt_ms = 100, .samples = 55}};
  w.each_second = [&] { w.control.rtt_ms = w.random() % 100 < 45 ? 20 : 100; };
  CHECK(w.until(true, 3600) >= 3600);
}

TEST_CASE("retransmissions are a ground of their own", "[proof]") {
  World w;
  for (Flows& f : w.steered) f.loss = 0.03;
  w.control.loss = 0.002;
  SECTION("surely more of them") {
    CHECK(w.until(true, 1000) < 1000);
    CHECK_THAT(w.proof.evidence(), Catch::Contains("retransmitted=0.03"));
  }
  SECTION("but not while steering surely gains in delay") {
    w.control.rtt_ms = 40;
    CHECK(w.until(true, 2000) >= 2000);
  }
  SECTION("told with their interval") {
    w.run(300);
    REQUIRE(w.proof.loss_gain());
    const LossGain& g = *w.proof.loss_gain();
    CHECK(g.gain == Approx(-0.028).margin(0.005));
    CHECK(g.lower <= -0.028);
    CHECK(g.upper >= -0.028);
  }
}

TEST_CASE("none retransmitted is not none for certain", "[proof]") {
  World w;
  w.control.segments = 5;  // 1500 in the window
  w.run(300);
  REQUIRE(w.proof.loss_gain());
  CHECK(w.proof.loss_gain()->gain == 0);
  CHECK(w.proof.loss_gain()->upper > 0.001);
}

TEST_CASE("a slower path without loss is no harm where routing's own loses", "[proof]") {
  World w;
  w.control.rtt_ms = 12;
  w.control.loss = 0.04;
  CHECK(w.until(true, 2000) >= 2000);
}

TEST_CASE("what the group's terms accept is no harm", "[proof]") {
  World w;
  w.control.rtt_ms = 15;
  GroupTerms terms;
  SECTION("a preference worth ten milliseconds") {
    terms.preferences = {{NexthopId{1}, ms(10)}};
  }
  SECTION("a price") {
    terms.policy.price_weight = 1;
  }
  SECTION("nothing may be reverted") {
    terms.revert = false;
  }
  SECTION("nothing is steered") {
    terms.mode = Mode::dry_run;
  }
  w.proof.set_terms(terms);
  CHECK(w.until(true, 2000) >= 2000);
  w.proof.set_terms({});
  CHECK(w.until(true, 2000) < 2000);
}

TEST_CASE("terms that forbid a revert end one", "[proof]") {
  World w;
  w.control.rtt_ms = 15;
  w.until(true, 1000);
  REQUIRE(w.reverted());
  w.proof.set_terms({.revert = false});
  CHECK_FALSE(w.reverted());
}

TEST_CASE("impossible readings change nothing", "[proof]") {
  World clean;
  World w;
  w.each_second = [&] {
    const auto reading = [&](PassiveRtt rtt, double at_s, double over_s, PathTraffic traffic = {}) {
      w.proof.observe(PathReading{PathId{9}, at(at_s), ms(1000 * over_s), traffic, rtt});
      w.proof.observe(ControlReading{GroupId{1}, at(at_s), ms(1000 * over_s), traffic, rtt});
    };
    PassiveRtt good = summary({500, 500, 500});
    good.samples = 1000;
    reading(good, w.now_s + 3600, 1);  // of the future
    reading(good, w.now_s - 60, 1);    // stale
    reading(good, w.now_s, 0);         // of no time
    reading(good, w.now_s, -1);
    reading(good, w.now_s, 1e6);
    PassiveRtt bad = good;
    bad.p50 = ms(1e7);
    reading(bad, w.now_s, 1);
    bad = good;
    bad.p10 = ms(-1);
    reading(bad, w.now_s, 1);
    bad = good;
    bad.p10 = ms(900);  // above the median
    reading(bad, w.now_s, 1);
    bad = good;
    bad.mean = Duration::min();
    reading(bad, w.now_s, 1);
    bad = good;
    bad.samples = std::numeric_limits<std::uint64_t>::max();
    reading(bad, w.now_s, 1);
    bad.samples = 0;
    PathTraffic absurd;
    absurd.segments = 10;
    absurd.retransmitted = 11;
    reading(bad, w.now_s, 1, absurd);
    w.proof.advance(at(w.now_s - 1000));  // time runs back
  };
  clean.run(200);
  w.run(200);
  REQUIRE(clean.proof.gain());
  REQUIRE(w.proof.gain());
  CHECK(w.proof.gain()->gain_ms == clean.proof.gain()->gain_ms);
  CHECK(w.proof.gain()->upper_ms == clean.proof.gain()->upper_ms);
  REQUIRE(w.proof.loss_gain());
  CHECK(w.proof.loss_gain()->segments == clean.proof.loss_gain()->segments);
}

TEST_CASE("a revert outlives a restart, and so does how long the next one is", "[proof]") {
  World w;
  w.control.rtt_ms = 15;
  w.until(true, 1000);
  w.run(200);
  GroupMemory m;
  w.proof.remember(m, at(w.now_s));
  CHECK(m.reverted);
  CHECK(seconds(m.reverted_for) == Approx(400).margin(2));
  CHECK(m.reverts == 1);

  World after;
  after.control.rtt_ms = 15;
  after.proof.recall(m, at(0));
  CHECK(after.reverted());
  CHECK(after.until(false, 1000) == Approx(400).margin(2));
  after.until(true, 1000);
  CHECK(after.until(false, 10000) == Approx(1200).margin(2));
}

TEST_CASE("absurd memories are brought within bounds", "[proof]") {
  Proof p;
  p.recall({.reverted = true, .reverted_for = Duration::max(), .reverts = 4000000000u}, at(0));
  CHECK(p.reverted(at(23.9 * 3600)));
  CHECK_FALSE(p.reverted(at(24.1 * 3600)));
  p.recall({.reverted = true, .reverted_for = Duration::min()}, at(0));
  CHECK_FALSE(p.reverted(at(0)));
  p.recall({.reverts = 1, .since_revert = Duration::min()}, at(0));
  CHECK_FALSE(p.reverted(at(1)));
}
