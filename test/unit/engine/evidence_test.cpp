#include "core/engine/evidence.hpp"

#include <cmath>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000h};

Duration ms(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(value));
}

/// Paths of one group, whose flows' peers are 5 to 60 ms behind the paths' ends: alike on all.
struct Traffic {
  std::vector<PathEvidence> evidence;
  std::vector<Reading> readings;
  std::vector<double> true_ms;
  std::vector<double> queue_ms;
  std::vector<bool> flows;
  std::vector<bool> probed;
  std::vector<double> retransmitted;
  std::vector<double> marked;
  std::mt19937 random{5};
  double peers_ms = 0;  // in common: the peers have moved
  TimePoint at = kStart;

  explicit Traffic(const std::vector<double>& rtts)
      : evidence(rtts.size()),
        true_ms(rtts),
        queue_ms(rtts.size()),
        flows(rtts.size(), true),
        probed(rtts.size(), true),
        retransmitted(rtts.size(), 0.002),
        marked(rtts.size()) {
    for (const double rtt : rtts) {
      Reading r;
      r.rtt_ms = r.recent_ms = r.base_ms = rtt;
      r.jitter_ms = 0.3;
      r.samples = 100;
      r.loss = {0, 0.01};
      readings.push_back(r);
    }
  }
  void run(Duration for_) {
    for (const TimePoint until = at + for_; at < until;) {
      at += 1s;
      for (std::size_t i = 0; i < true_ms.size(); ++i) evidence[i].observe(second(i));
    }
  }
  PathReading second(std::size_t i) {
    PathReading reading{PathId{1}, at, 1s};
    if (!flows[i]) return reading;
    std::normal_distribution<double> noise(0, 1.5);
    const double path = true_ms[i] + queue_ms[i] + peers_ms;
    PassiveRtt rtt;
    rtt.samples = 200;
    rtt.p50 = ms(path + 25 + noise(random));
    rtt.p10 = ms(path + 7 + noise(random) / 3);
    rtt.mean = rtt.p50;
    reading.rtt = rtt;
    reading.traffic.segments = 500;
    reading.traffic.acks = 250;
    reading.traffic.retransmitted =
        std::binomial_distribution<std::uint64_t>(500, retransmitted[i])(random);
    reading.traffic.ece_acks = std::binomial_distribution<std::uint64_t>(250, marked[i])(random);
    return reading;
  }
  [[nodiscard]] std::vector<Fused> fused() const {
    std::vector<const PathEvidence*> passive;
    std::vector<const Reading*> active;
    for (std::size_t i = 0; i < true_ms.size(); ++i) {
      passive.push_back(&evidence[i]);
      active.push_back(probed[i] ? &readings[i] : nullptr);
    }
    return fuse(passive, active, at);
  }
};

}  // namespace

TEST_CASE("traffic and probes that agree count together, by their confidence",
          "[engine][evidence]") {
  Traffic t({20, 30, 40});
  t.run(60s);
  const auto fused = t.fused();
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(fused[i].reading->rtt_ms == Approx(t.true_ms[i]).margin(1));
    CHECK(fused[i].reading->base_ms <= fused[i].reading->rtt_ms);
    CHECK(fused[i].passive_share > 0.02);
    CHECK(fused[i].passive_share < 0.98);
    CHECK_FALSE(fused[i].disagreement_ms);
    CHECK_FALSE(fused[i].retransmit_excess);
    CHECK_FALSE(fused[i].marked_excess);
  }
  CHECK(*t.evidence[0].passive_ms(t.at) == Approx(45).margin(2));
  CHECK(*t.evidence[0].retransmitted(t.at) == Approx(0.002).margin(0.002));
  CHECK(*t.evidence[0].ece(t.at) == 0);
}

TEST_CASE("noisier traffic has less to say, and less with its age", "[engine][evidence]") {
  Traffic t({20, 30});
  t.run(60s);
  const double fresh = t.fused()[0].passive_share;
  t.readings[0].jitter_ms = t.readings[1].jitter_ms = 10;
  CHECK(t.fused()[0].passive_share > fresh);
  t.readings[0].jitter_ms = t.readings[1].jitter_ms = 0.3;
  t.at += 15s;
  CHECK(t.fused()[0].passive_share < fresh);
  CHECK(t.fused()[0].passive_share > 0);
  t.at += 20s;
  CHECK(t.fused()[0].passive_share == 0);
  CHECK(t.fused()[0].reading->rtt_ms == 20);
}

TEST_CASE("what the peers have in common is no path's", "[engine][evidence]") {
  Traffic t({20, 30});
  t.run(60s);
  t.peers_ms = 80;
  t.run(60s);
  const auto fused = t.fused();
  CHECK(fused[0].reading->rtt_ms == Approx(20).margin(1));
  CHECK(fused[1].reading->rtt_ms == Approx(30).margin(1));
  CHECK_FALSE(fused[0].disagreement_ms);
}

TEST_CASE("where traffic and probes surely disagree it is told, and the traffic's word counts",
          "[engine][evidence]") {
  Traffic t({20, 20, 20});
  t.true_ms[1] = 50;  // the anchor lies on another way
  t.run(60s);
  const auto fused = t.fused();
  REQUIRE(fused[1].disagreement_ms);
  CHECK(*fused[1].disagreement_ms == Approx(30).margin(2));
  CHECK(fused[1].passive_share == 1);
  CHECK(fused[1].reading->rtt_ms == Approx(50).margin(2));
  CHECK(fused[1].reading->base_ms == Approx(50).margin(4));  // no queue
  CHECK_FALSE(fused[0].disagreement_ms);
  CHECK_FALSE(fused[2].disagreement_ms);
  CHECK(fused[0].reading->rtt_ms == Approx(20).margin(1));
}

TEST_CASE("of two paths that disagree the difference counts, once", "[engine][evidence]") {
  Traffic t({20, 20});
  t.true_ms[1] = 50;
  t.run(60s);
  const auto fused = t.fused();
  CHECK(fused[0].disagreement_ms);
  CHECK(fused[1].disagreement_ms);
  CHECK(fused[1].reading->rtt_ms - fused[0].reading->rtt_ms == Approx(30).margin(2));
}

TEST_CASE("less than 2 ms or a tenth is no disagreement", "[engine][evidence]") {
  Traffic t({100, 100, 100});
  t.true_ms[1] = 107;
  t.run(300s);
  CHECK_FALSE(t.fused()[1].disagreement_ms);
}

TEST_CASE("the traffic's queue is one, not a longer way", "[engine][evidence]") {
  Traffic t({20, 20, 20});
  t.run(120s);
  t.queue_ms[1] = 30;  // which the probes do not meet
  t.run(60s);
  const auto fused = t.fused();
  CHECK(*fused[1].queue_ms == Approx(30).margin(3));
  CHECK(*fused[0].queue_ms < 3);
  CHECK(fused[1].reading->rtt_ms == Approx(50).margin(3));
  CHECK(fused[1].reading->base_ms == Approx(20).margin(3));
}

TEST_CASE("after a route change was accepted the longer way is no queue", "[engine][evidence]") {
  Traffic t({20, 20, 20});
  t.run(120s);
  t.true_ms[1] = 50;
  t.readings[1].rtt_ms = t.readings[1].recent_ms = t.readings[1].base_ms = 50;
  t.run(60s);
  CHECK(*t.fused()[1].queue_ms > 20);
  t.evidence[1].accept_step();
  t.run(10s);
  CHECK(*t.fused()[1].queue_ms < 3);
  CHECK(t.fused()[1].reading->base_ms == Approx(50).margin(4));
}

TEST_CASE("a path without traffic keeps the probes' word", "[engine][evidence]") {
  Traffic t({20, 20, 20});
  t.flows[2] = false;
  t.true_ms[1] = 50;
  t.run(60s);
  const auto fused = t.fused();
  CHECK(fused[2].reading->rtt_ms == 20);
  CHECK(fused[2].passive_share == 0);
  // One path's traffic alone says nothing of differences.
  t.flows = {true, false, false};
  t.at += 60s;
  t.run(60s);
  CHECK(t.fused()[0].reading->rtt_ms == 20);
  CHECK(t.fused()[0].passive_share == 0);
}

TEST_CASE("a path without probes has the traffic's word, where that can be compared",
          "[engine][evidence]") {
  Traffic t({20, 30, 60});
  t.probed[2] = false;
  t.run(60s);
  auto fused = t.fused();
  REQUIRE(fused[2].reading);
  CHECK(fused[2].reading->rtt_ms == Approx(60).margin(2));
  CHECK(fused[2].passive_share == 1);
  t.probed = {false, false, false};
  fused = t.fused();
  CHECK(fused[2].reading->rtt_ms - fused[0].reading->rtt_ms == Approx(40).margin(2));
  t.probed = {true, false, false};  // and that one has no traffic
  t.flows[0] = false;
  t.at += 60s;
  t.run(30s);
  CHECK_FALSE(t.fused()[2].reading);
}

TEST_CASE("retransmissions tell of loss by what one path has more than the others",
          "[engine][evidence]") {
  Traffic t({20, 20, 20});
  SECTION("all alike: the peers' own") {
    t.retransmitted = {0.05, 0.05, 0.05};
    t.run(120s);
    for (const Fused& f : t.fused()) {
      CHECK_FALSE(f.retransmit_excess);
      CHECK(f.reading->loss.lower == 0);
    }
  }
  SECTION("one alone") {
    t.retransmitted = {0.005, 0.04, 0.005};
    t.run(120s);
    const auto fused = t.fused();
    REQUIRE(fused[1].retransmit_excess);
    CHECK(*fused[1].retransmit_excess > 0.02);
    CHECK(*fused[1].retransmit_excess < 0.035);
    CHECK(fused[1].reading->loss.lower == *fused[1].retransmit_excess);
    CHECK(fused[1].reading->loss.upper >= fused[1].reading->loss.lower);
    CHECK_FALSE(fused[0].retransmit_excess);
  }
  SECTION("a path alone has nothing to be compared with") {
    t.flows = {false, true, false};
    t.retransmitted[1] = 0.2;
    t.run(60s);
    CHECK_FALSE(t.fused()[1].retransmit_excess);
  }
}

TEST_CASE("ECN echoes tell of a queue by what one path has more", "[engine][evidence]") {
  Traffic t({20, 20, 20});
  t.marked = {0.02, 0.3, 0.02};
  t.run(60s);
  const auto fused = t.fused();
  CHECK(fused[1].marked_excess);
  CHECK_FALSE(fused[0].marked_excess);
  CHECK(*t.evidence[1].ece(t.at) == Approx(0.3).margin(0.05));
  CHECK_FALSE(t.evidence[1].ece(t.at + 61s));
}

TEST_CASE("impossible readings of traffic are refused", "[engine][evidence]") {
  Traffic t({20, 20});
  t.run(30s);
  PathEvidence& e = t.evidence[0];
  const double before = *e.passive_ms(t.at);
  const auto with = [&](const PassiveRtt& rtt, const PathTraffic& traffic = {}) {
    PathReading reading{PathId{1}, t.at + 1s, 1s};
    reading.rtt = rtt;
    reading.traffic = traffic;
    return e.observe(reading);
  };
  const auto rtt = [](Duration p10, Duration p50) {
    PassiveRtt r;
    r.samples = 100;
    r.p10 = p10;
    r.p50 = p50;
    return r;
  };
  CHECK_FALSE(with(rtt(1ms, 2h)));
  CHECK_FALSE(with(rtt(1ms, 0ms)));
  CHECK_FALSE(with(rtt(1ms, -5ms)));
  CHECK_FALSE(with(rtt(-1ms, 5ms)));
  CHECK_FALSE(with(rtt(9ms, 5ms)));
  PathTraffic more;
  more.segments = 5;
  more.retransmitted = 6;
  CHECK_FALSE(with(rtt(1ms, 5ms), more));
  PathTraffic echoes;
  echoes.ece_acks = 1;
  CHECK_FALSE(with(rtt(1ms, 5ms), echoes));
  CHECK_FALSE(e.observe({PathId{1}, t.at, 1s}));       // told twice
  CHECK_FALSE(e.observe({PathId{1}, t.at - 3s, 1s}));  // late
  CHECK_FALSE(e.observe({PathId{1}, t.at + 1s, 0s}));
  CHECK_FALSE(e.observe({PathId{1}, t.at + 1s, 2h}));
  CHECK(*e.passive_ms(t.at) == before);
  // Weak samples alone have no times.
  PassiveRtt weak;
  weak.by_method[5] = 9;
  CHECK(with(weak));
  CHECK(*e.passive_ms(t.at) == before);
}

TEST_CASE("a group without anything has nothing to fuse", "[engine][evidence]") {
  const std::vector<const PathEvidence*> passive{nullptr, nullptr};
  const std::vector<const Reading*> active{nullptr, nullptr};
  for (const Fused& f : fuse(passive, active, kStart)) {
    CHECK_FALSE(f.reading);
    CHECK(f.passive_share == 0);
  }
  CHECK(fuse({}, {}, kStart).empty());
}

TEST_CASE("of two paths that disagree the better keeps what its probes say", "[engine][evidence]") {
  Traffic t({80, 10});
  t.readings[0] = t.readings[1];  // 10 ms both
  t.run(60s);
  const auto fused = t.fused();
  CHECK(fused[0].reading->rtt_ms == Approx(80).margin(3));
  CHECK(fused[0].reading->base_ms == Approx(80).margin(3));
  CHECK(fused[1].reading->rtt_ms == Approx(10).margin(1));
}

namespace {

// Second by second, as an engine does.
void live(Traffic& t, Duration for_) {
  for (const TimePoint until = t.at + for_; t.at < until;) {
    t.run(1s);
    const auto fused = t.fused();
    for (std::size_t i = 0; i < fused.size(); ++i) t.evidence[i].remember(fused[i], t.at);
  }
}

double apart_ms(const Traffic& t) {
  const auto fused = t.fused();
  return fused[0].reading->rtt_ms - fused[1].reading->rtt_ms;
}

}  // namespace

TEST_CASE("what a path's traffic surely told against its probes outlives that traffic",
          "[engine][evidence]") {
  Traffic t({50, 20});  // beyond the anchor
  t.readings[0] = t.readings[1];
  live(t, 60s);
  CHECK(apart_ms(t) == Approx(30).margin(3));
  t.flows[0] = false;  // all have left
  live(t, 60s);
  CHECK(apart_ms(t) == Approx(30).margin(3));
  CHECK(t.fused()[0].disagreement_ms.value_or(0) == Approx(30).margin(3));
  SECTION("but not for ever") {
    live(t, 10min);
    CHECK(apart_ms(t) == 0);
    CHECK_FALSE(t.fused()[0].disagreement_ms);
  }
  SECTION("also while nobody sends at all, and counts once") {
    t.flows[1] = false;
    live(t, 60s);
    CHECK(apart_ms(t) == Approx(30).margin(3));
  }
  SECTION("not beyond a new route") {
    t.evidence[0].accept_step();
    CHECK(apart_ms(t) == 0);
  }
  SECTION("not against what new traffic tells") {
    t.flows[0] = true;
    t.true_ms[0] = 20;
    live(t, 60s);
    t.flows[0] = false;
    live(t, 60s);
    CHECK(apart_ms(t) == 0);
  }
}

// A path that has just become worse: its flows feel it, the probes' slow average does not yet.
TEST_CASE("what only the probes' lag makes of a fault is not remembered", "[engine][evidence]") {
  Traffic t({20, 20});
  live(t, 60s);
  t.true_ms[0] = t.readings[0].recent_ms = 50;
  live(t, 20s);
  CHECK(t.fused()[0].disagreement_ms);
  t.flows[0] = false;
  live(t, 60s);
  CHECK(t.fused()[0].reading->rtt_ms == 20);
}
