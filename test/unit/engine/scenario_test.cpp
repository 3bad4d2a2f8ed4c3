// Whole faults against a whole engine, on simulated time (simulation.hpp). The bounds on reaction
// times are facts of simulated time, so they hold on any machine; each is the worst of many phases
// of the probers.
#include <algorithm>
#include <cstdio>

#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

const std::vector<SimulatedPath> kTwo(2);
constexpr std::uint32_t kSeeds = 100;
constexpr double kFault = 60;

// The worst time over all seeds until `done` holds, after `fault`; reports the median too.
template <class Fault, class Done>
double worst(const char* what, Fault fault, Done done, double within) {
  std::vector<double> times;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    Simulation s(kTwo, seed);
    const double start = kFault + 0.001 * seed;
    s.run_until(start);
    fault(s);
    s.run_until(start + within);
    const auto time = done(s, start);
    INFO(s.log());
    REQUIRE(time);
    times.push_back(*time);
  }
  std::sort(times.begin(), times.end());
  std::printf("  %-34s median %.2f s, worst %.2f s of %u\n", what, times[times.size() / 2],
              times.back(), kSeeds);
  return times.back();
}

}  // namespace

TEST_CASE("a brownout moves all new traffic within a second, and flows may stay", "[engine]") {
  for (const double step : {30.0, 100.0, 400.0}) {
    char what[40];
    std::snprintf(what, sizeof what, "brownout +%.0f ms on 20 ms", step);
    CHECK(worst(
              what, [&](Simulation& s) { s.path(1).rtt_ms += step; },
              [](Simulation& s, double t) {
                CHECK(s.state(1) == PathState::degraded);
                CHECK(s.usable(1));
                return s.fell(1, 0.01, t);
              },
              10) < 1.0);
  }
}

TEST_CASE("a black hole is left within a second, and is then not usable", "[engine]") {
  CHECK(worst(
            "black hole", [](Simulation& s) { s.path(1).loss = 1; },
            [](Simulation& s, double t) {
              CHECK(s.state(1) == PathState::down);
              CHECK_FALSE(s.usable(1));
              CHECK(s.count(Reason::path_down) == 1);
              return s.fell(1, 0, t);
            },
            10) < 0.75);
}

TEST_CASE("a link or neighbour that the kernel loses is left at the next decision", "[engine]") {
  CHECK(worst(
            "link down", [](Simulation& s) { s.link(1, false); },
            [](Simulation& s, double t) { return s.fell(1, 0, t); }, 2) <= 0.1);
  CHECK(worst(
            "neighbour lost", [](Simulation& s) { s.neighbour(1, false); },
            [](Simulation& s, double t) {
              CHECK(s.count(Reason::neighbour_lost) == 1);
              return s.fell(1, 0, t);
            },
            2) <= 0.1);
}

TEST_CASE("ten percent of loss moves traffic, and it stays away while loss lasts", "[engine]") {
  CHECK(worst(
            "10 % loss", [](Simulation& s) { s.path(1).loss = 0.1; },
            [](Simulation& s, double t) {
              CHECK(s.weight(1) <= 0.01);
              CHECK(s.count(Reason::path_recovered) == 0);
              return s.fell(1, 0.05, t);
            },
            120) < 30);
}

TEST_CASE("traffic returns after a fault by one slow ramp, without flapping", "[engine]") {
  const auto restored = [](Simulation& s, double t) {
    CHECK(s.reversals(1, t) == 0);
    CHECK(s.state(1) == PathState::up);
    return s.rose(1, 0.5, t);
  };
  const double brownout = worst(
      "return from brownout",
      [](Simulation& s) {
        s.path(1).rtt_ms = 120;
        s.run_until(90);
        s.path(1).rtt_ms = 20;
      },
      [&](Simulation& s, double) { return restored(s, 90); }, 60);
  CHECK(brownout > 5);  // five times slower than it left
  CHECK(brownout < 20);
  const double hole = worst(
      "return from black hole",
      [](Simulation& s) {
        s.path(1).loss = 1;
        s.run_until(90);
        s.path(1).loss = 0;
      },
      [&](Simulation& s, double) { return restored(s, 90); }, 60);
  CHECK(hole > 5);
  CHECK(hole < 20);
  const double link = worst(
      "return of the link",
      [](Simulation& s) {
        s.link(1, false);
        s.run_until(90);
        s.link(1, true);
      },
      [&](Simulation& s, double) { return restored(s, 90); }, 60);
  CHECK(link < 20);
}

TEST_CASE("a path that flaps is held at the floor until it has been quiet", "[engine]") {
  Simulation s(kTwo);
  s.run_until(60);
  for (int i = 0; i < 12; ++i) {
    s.path(1).loss = 1;
    s.run_until(65 + i * 10);
    s.path(1).loss = 0;
    s.run_until(70 + i * 10);
  }
  INFO(s.log());
  CHECK_FALSE(s.rose(1, 0.02, 100));  // suppressed after the fourth fall
  s.run_until(600);
  CHECK(s.rose(1, 0.5, 240));
  CHECK(s.weight(1) == Approx(0.5).margin(0.001));
}

TEST_CASE("paths that worsen or die together hold their weights, and it is told once", "[engine]") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    for (const bool dead : {false, true}) {
      Simulation s(kTwo, seed);
      s.run_until(60);
      for (std::uint32_t n : {1u, 2u}) (dead ? s.path(n).loss : s.path(n).rtt_ms) = dead ? 1 : 120;
      s.run_until(90);
      INFO(s.log());
      CHECK(s.count(Reason::all_worse_hold) == 1);
      CHECK(s.decisions.size() == 2);
      for (std::uint32_t n : {1u, 2u}) (dead ? s.path(n).loss : s.path(n).rtt_ms) = dead ? 0 : 20;
      s.run_until(150);
      for (const Decision& d : s.decisions) CHECK(d.paths[0].after == Approx(0.5));
      CHECK(s.state(1) == PathState::up);
      CHECK(s.state(2) == PathState::up);
    }
  }
}

TEST_CASE("of two dead paths the one that returns well takes the traffic", "[engine]") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    Simulation s(kTwo, seed);
    s.run_until(60);
    s.path(1).loss = s.path(2).loss = 1;
    s.run_until(90);
    s.path(1).loss = 0.5;
    s.path(2).loss = 0;
    s.run_until(95);
    INFO(s.log());
    CHECK(s.weight(2) >= 0.99);
    s.run_until(180);
    CHECK(s.weight(2) >= 0.8);  // ten good replies in a row may earn the other a try
  }
}

TEST_CASE("the last path stays usable however bad it is", "[engine]") {
  Simulation s(kTwo);
  s.run_until(60);
  s.link(2, false);
  s.run_until(70);
  s.path(1).loss = 1;
  s.run_until(80);
  INFO(s.log());
  CHECK(s.usable(1));
  CHECK(s.weight(1) == 1);
  CHECK(s.count(Reason::no_alternative_hold) == 1);
  s.link(2, true);
  s.run_until(82);
  CHECK_FALSE(s.usable(1));
  CHECK(s.weight(2) == 1);
}

TEST_CASE("a step that leaves a path the best one moves nothing", "[engine]") {
  std::vector<SimulatedPath> paths(2);
  paths[1].rtt_ms = 120;
  Simulation s(paths);
  s.run_until(120);
  const double before = s.weight(1);
  s.path(1).rtt_ms = 70;
  s.run_until(180);
  INFO(s.log());
  CHECK(s.weight(1) >= before);
  CHECK(s.count(Reason::path_degraded) == 0);
  CHECK(s.count(Reason::no_alternative_hold) == 1);
}

TEST_CASE("spikes move nothing, nor does a prober that dies", "[engine]") {
  std::vector<SimulatedPath> paths(2);
  for (auto& p : paths) p.spike = 0.02;
  Simulation s(paths);
  s.run_until(600);
  s.probing = false;
  s.run_until(900);
  INFO(s.log());
  CHECK(s.decisions.size() == 1);
  CHECK(s.state(1) == PathState::up);
}

TEST_CASE("a slow drift moves traffic away and back once", "[engine]") {
  Simulation s(kTwo);
  s.path(1).drift = [](double t) {
    return std::max(0.0, 60 - std::abs(t - 240) / 3);  // +60 ms and back, 20 ms a minute
  };
  s.run_until(240);
  CHECK(s.weight(1) <= 0.02);
  s.run_until(900);
  INFO(s.log());
  CHECK(s.weight(1) == Approx(0.5).margin(0.001));
  CHECK(s.reversals(1) == 1);
}

TEST_CASE("a route change to a longer way is accepted as the new base in time", "[engine]") {
  Simulation s(kTwo);
  s.run_until(60);
  s.path(1).rtt_ms = 60;
  s.run_until(1200);
  INFO(s.log());
  CHECK(s.state(1) == PathState::up);
  CHECK(s.weight(1) <= 0.011);  // and is still dearer
  s.path(1).rtt_ms = 20;
  s.run_until(1500);
  CHECK(s.weight(1) == Approx(0.5).margin(0.001));
}

TEST_CASE("an hour of noise makes no decision but the first and monotonic ones of cost",
          "[engine]") {
  std::size_t decisions = 0;
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    for (const double delay : {20.0, 21.0, 40.0}) {
      std::vector<SimulatedPath> paths(2);
      paths[0] = {20, 2, 0.005, 0.002, 1, {}};
      paths[1] = {delay, 4, 0.005, 0.002, 1, {}};
      Simulation s(paths, seed);
      s.run_until(3600);
      INFO(s.log());
      CHECK(s.count(Reason::initial) + s.count(Reason::cost) ==
            static_cast<int>(s.decisions.size()));
      CHECK(s.reversals(1) <= 1);  // chance may move a percent or two, which then drifts home
      if (delay == 40) CHECK(s.weight(1) >= 0.99 - 0.001);
      CHECK(s.decisions.size() < 120);  // it converges and stops
      decisions += s.decisions.size();
    }
  }
  std::printf("  noise: %zu decisions in 60 simulated hours\n", decisions);
}

TEST_CASE("random faults break no promise, and the same trace gives the same decisions",
          "[engine]") {
  // Simulation::check() holds every decision against the promises.
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    std::string first;
    for (int run = 0; run < (seed <= 5 ? 2 : 1); ++run) {
      std::mt19937 random(seed);
      const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
      std::vector<SimulatedPath> paths(1 + below(6));
      for (auto& p : paths) {
        p.rtt_ms = 5 + below(100);
        p.jitter_ms = below(10);
        p.kernel_weight = 1 + below(20);
      }
      Simulation s(paths, seed);
      for (double t = 5; t < 300; t += 0.1 * (below(100))) {
        s.run_until(t);
        const std::uint32_t n = 1 + below(static_cast<std::uint32_t>(paths.size()));
        switch (below(6)) {
          case 0:
            s.path(n).loss = 0.01 * (below(101));
            break;
          case 1:
            s.path(n).rtt_ms = 5 + below(500);
            break;
          case 2:
            s.link(n, below(2));
            break;
          case 3:
            s.neighbour(n, below(2));
            break;
          default:
            s.path(n) = paths[n - 1];
        }
      }
      if (run == 0) first = s.log();
      CHECK(s.log() == first);
    }
  }
}

TEST_CASE("a path that returns while the other is degraded takes over only when it answers",
          "[engine]") {
  Simulation s(kTwo);
  s.run_until(60);
  s.link(2, false);
  s.path(1).rtt_ms = 120;
  s.run_until(61);
  s.link(2, true);
  s.path(2).loss = 1;
  s.run_until(61.15);
  CHECK(s.weight(1) >= 0.9);
  s.run_until(66);
  INFO(s.log());
  CHECK(s.weight(1) == 1);  // 2 turned out to be dead
  s.path(2).loss = 0;
  s.run_until(75);
  CHECK(s.weight(1) <= 0.02);
}
