#include "core/engine/estimator.hpp"

#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

Sample sample(Outcome outcome, double sent_s, double rtt_ms) {
  return {NexthopId{1}, anchor_address(1),      outcome, at(sent_s), at(sent_s + rtt_ms / 1000),
          ms(rtt_ms),   TimestampSource::kernel};
}

struct Feed {
  Options options;
  Estimator e{options};
  double t = 0;
  void replies(int n, double rtt_ms, double gap_s = 0.2) {
    for (int i = 0; i < n; ++i, t += gap_s) REQUIRE(e.observe(sample(Outcome::reply, t, rtt_ms)));
  }
  void losses(int n, double gap_s = 0.2) {
    for (int i = 0; i < n; ++i, t += gap_s) REQUIRE(e.observe(sample(Outcome::lost, t, 100)));
  }
};

}  // namespace

TEST_CASE("Wilson's bounds are the textbook's", "[engine]") {
  CHECK(wilson(0, 60, 1.96).upper == Approx(0.060).margin(0.001));
  CHECK(wilson(0, 60, 1.96).lower == 0);
  CHECK(wilson(5, 50, 1.96).lower == Approx(0.0435).margin(0.0005));
  CHECK(wilson(5, 50, 1.96).upper == Approx(0.2136).margin(0.0005));
  CHECK(wilson(50, 50, 1.96).upper == 1);
  CHECK(wilson(0, 0, 1.96).upper == 1);
}

TEST_CASE("nothing is known until the first reply", "[engine]") {
  Feed f;
  f.losses(5);
  const Estimate e = f.e.estimate();
  CHECK_FALSE(e.rtt);
  CHECK_FALSE(e.base);
  CHECK(e.loss == 1);
  CHECK(e.window == 5);
  CHECK_FALSE(f.e.reading());
}

TEST_CASE("the average follows real time, whatever the pace of the probes", "[engine]") {
  for (const double gap : {0.05, 0.2, 0.5}) {
    Feed f;
    f.replies(100, 20, gap);
    const double start = f.t;
    while (f.t < start + 4) f.replies(1, 30, gap);  // two time constants of the fast average
    CHECK(milliseconds(*f.e.estimate().rtt) == Approx(30 - 10 * std::exp(-2)).margin(0.4));
  }
}

TEST_CASE("the base is the lowest of its window and expires", "[engine]") {
  Feed f;
  f.replies(100, 20);
  f.replies(2900, 50);  // 580 s
  CHECK(milliseconds(*f.e.estimate().base) == Approx(20));
  f.replies(300, 50);
  CHECK(milliseconds(*f.e.estimate().base) == Approx(50));
  f.replies(1, 10);
  CHECK(milliseconds(*f.e.estimate().base) == Approx(10));
}

TEST_CASE("a late reply takes back its loss, and the silence", "[engine]") {
  Feed f;
  f.replies(50, 20);
  f.losses(3);
  CHECK(f.e.silent());
  CHECK(f.e.losses().lost == 3);
  REQUIRE(f.e.observe(sample(Outcome::late, f.t - 0.6, 700)));
  CHECK_FALSE(f.e.silent());
  CHECK(f.e.losses().lost == 2);
  CHECK(f.e.losses().sent == 53);
  CHECK(f.e.newest_late_sent() == at(f.t - 0.6));
}

TEST_CASE("a path slower than its deadline is never silent while it answers", "[engine]") {
  Feed f;
  f.replies(50, 20);
  for (int i = 0; i < 200; ++i) {  // RTT 1.5 s, deadline 1 s, in order of knowing
    const double known = f.t + 0.05 * i;
    REQUIRE(f.e.observe({NexthopId{1},
                         anchor_address(1),
                         Outcome::lost,
                         at(known - 1),
                         at(known),
                         {},
                         TimestampSource::kernel}));
    if (i < 10) continue;
    REQUIRE(f.e.observe({NexthopId{1}, anchor_address(1), Outcome::late, at(known - 1.5), at(known),
                         ms(1500), TimestampSource::kernel}));
    CHECK_FALSE(f.e.silent());
  }
}

TEST_CASE("the more a path loses anyway, the longer it must be silent to be dead", "[engine]") {
  Feed clean;
  clean.replies(90, 20);
  clean.losses(2);
  CHECK_FALSE(clean.e.silent());
  clean.losses(1);
  CHECK(clean.e.silent());

  Feed lossy;
  for (int i = 0; i < 9; ++i) {
    lossy.replies(9, 20);
    lossy.losses(1);
  }
  lossy.replies(9, 20);
  lossy.losses(4);
  CHECK_FALSE(lossy.e.silent());
  lossy.losses(4);
  CHECK(lossy.e.silent());
}

TEST_CASE("a step shows after four replies, a pair of spikes never", "[engine]") {
  Feed f;
  f.replies(100, 20);
  f.replies(2, 300);
  CHECK(f.e.suspicious());
  CHECK_FALSE(f.e.stepped());
  f.replies(3, 20);
  f.replies(3, 60, 0.05);
  CHECK_FALSE(f.e.stepped());
  f.replies(1, 60);
  CHECK(f.e.stepped());
}

TEST_CASE("a noisy path does not look stepped for being above its lowest RTT", "[engine]") {
  Feed f;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    f.replies(1, 20 + static_cast<double>(random() % 60));  // 20..80 ms
    CHECK_FALSE(f.e.stepped());
  }
}

TEST_CASE("losses leave the window by the time their probes left", "[engine]") {
  Feed f;
  f.replies(50, 20);
  f.losses(10);
  f.replies(40, 20);
  CHECK(f.e.lossy());
  f.replies(70, 20);
  CHECK_FALSE(f.e.lossy());
  CHECK(f.e.losses().lost == 0);
  CHECK(f.e.estimate().window <= 105);
}

TEST_CASE("impossible samples are refused and change nothing", "[engine]") {
  Feed f;
  f.replies(50, 20);
  const Estimate before = f.e.estimate();
  CHECK_FALSE(f.e.observe(sample(Outcome::reply, f.t, -5)));
  CHECK_FALSE(f.e.observe(sample(Outcome::reply, f.t, 1e9)));
  CHECK_FALSE(f.e.observe(sample(Outcome::late, f.t, 0)));
  CHECK_FALSE(f.e.observe(sample(Outcome::reply, f.t - 5, 20)));  // time runs back
  Sample wrong = sample(Outcome::reply, f.t, 20);
  wrong.known = wrong.sent - ms(1);
  CHECK_FALSE(f.e.observe(wrong));
  wrong.rtt = Duration::min();
  CHECK_FALSE(f.e.observe(wrong));
  const Estimate after = f.e.estimate();
  CHECK(after.rtt == before.rtt);
  CHECK(after.window == before.window);
  CHECK(after.newest == before.newest);
}

TEST_CASE("an odd first reply does not stand for the path", "[engine]") {
  Feed f;
  f.replies(1, 1000);
  f.replies(30, 20);
  CHECK(f.e.reading()->rtt_ms < 22);
  CHECK(f.e.reading()->base_ms == Approx(20));
}

TEST_CASE("what later probes say is told apart from what earlier ones said", "[engine]") {
  Feed f;
  f.replies(100, 20);
  f.losses(10);
  f.replies(3, 70);
  const TimePoint since = at(f.t);
  CHECK(f.e.lossy_since(at(0)));
  CHECK_FALSE(f.e.lossy_since(since));
  f.replies(4, 50);
  CHECK_FALSE(f.e.queue_since(since));
  f.replies(1, 50);
  REQUIRE(f.e.queue_since(since));
  CHECK(*f.e.queue_since(since) == Approx(30));
  f.replies(40, 20);
  CHECK_FALSE(f.e.lossy_since(since));
  f.losses(10);
  CHECK(f.e.lossy_since(since));
}
