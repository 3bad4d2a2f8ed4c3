#include "core/engine/base_step.hpp"

#include <random>

#include "core/engine/estimator.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

/// Ten probes a second through a path of 20 ms with 1 ms of noise.
struct Probed {
  Options options;
  Estimator estimator{options};
  std::mt19937 random{3};
  TimePoint at{1000h};
  double way_ms = 20;
  double noise_ms = 1;
  double queue_from_ms = 0;  // a queue of this length at least, and at most ...
  double queue_to_ms = 0;

  void run(Duration for_) {
    std::exponential_distribution<double> noise(1 / noise_ms);
    std::uniform_real_distribution<double> any(0, 1);
    for (const TimePoint until = at + for_; at < until;) {
      at += 100ms;
      const double ms =
          way_ms + noise(random) + queue_from_ms + (queue_to_ms - queue_from_ms) * any(random);
      Sample s;
      s.outcome = Outcome::reply;
      s.rtt = std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
      s.sent = at - s.rtt;
      s.known = at;
      estimator.observe(s);
    }
  }
  double step() const { return estimator.reading()->step_ms; }
  double base() const { return estimator.reading()->base_ms; }
};

}  // namespace

TEST_CASE("a longer way is a step of the base within half a minute, and can be accepted",
          "[engine][base]") {
  Probed p;
  p.run(120s);
  CHECK(p.step() == 0);
  p.way_ms = 32;
  p.run(15s);
  CHECK(p.step() == 0);  // not before the window is of nothing else
  p.run(20s);
  CHECK(p.step() == Approx(12).margin(0.5));
  CHECK(p.base() == Approx(20).margin(0.5));
  p.estimator.accept_step();
  CHECK(p.base() == Approx(32).margin(0.5));
  CHECK(p.step() == 0);
  p.run(60s);
  CHECK(p.base() == Approx(32).margin(0.5));
}

TEST_CASE("a queue that comes and goes is no step", "[engine][base]") {
  Probed p;
  p.run(120s);
  SECTION("it empties now and then") {
    p.queue_to_ms = 60;
    p.run(300s);
    CHECK(p.step() == 0);
  }
  SECTION("it never empties, but its length varies") {
    p.queue_from_ms = 20;
    p.queue_to_ms = 60;
    p.run(300s);
    CHECK(p.step() == 0);
  }
  p.estimator.accept_step();
  CHECK(p.base() == Approx(20).margin(0.5));
}

TEST_CASE("noise never is a step", "[engine][base]") {
  Probed p;
  p.noise_ms = GENERATE(0.1, 1.0, 15.0);
  for (int minute = 0; minute < 120; ++minute) {
    p.run(60s);
    CHECK(p.step() == 0);
  }
}

TEST_CASE("a shorter way needs no test", "[engine][base]") {
  Probed p;
  p.run(120s);
  p.way_ms = 12;
  p.run(2s);
  CHECK(p.base() == Approx(12).margin(0.5));
  CHECK(p.step() == 0);
}

TEST_CASE("too few probes tell no step", "[engine][base]") {
  BaseStep step;
  TimePoint at{1000h};
  for (int i = 0; i < 600; ++i) step.observe(20, 20, at += 3s);
  for (int i = 0; i < 600; ++i) step.observe(40, 20, at += 3s);
  CHECK_FALSE(step.step(20));
}
