// What the engine hands over to its successor, and what the successor makes of it.
#include <cmath>
#include <limits>

#include "core/engine/state.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

const Anchor kAnchor{anchor_address(1)};

Group two_paths() {
  return {GroupId{1}, {{PathId{1}, NexthopId{1}, 1}, {PathId{2}, NexthopId{2}, 1}}};
}

Sample reply(std::uint32_t nexthop, double s, double rtt_ms) {
  Sample sample;
  sample.nexthop = NexthopId{nexthop};
  sample.anchor = kAnchor;
  sample.sent = at(s) - ms(rtt_ms);
  sample.known = at(s);
  sample.rtt = ms(rtt_ms);
  sample.outcome = Outcome::reply;
  return sample;
}

// Replies of both paths, five a second.
void feed(Engine& engine, double from_s, double to_s, double first_ms, double second_ms) {
  for (double s = from_s; s < to_s; s += 0.2) {
    engine.observe(reply(1, s, first_ms));
    engine.observe(reply(2, s, second_ms));
    engine.decide(at(s));
  }
}

double base_ms(const Engine& engine, std::uint32_t nexthop) {
  return milliseconds(
      engine.nexthop(NexthopId{nexthop}).value().estimate.base.value_or(Duration{}));
}

}  // namespace

TEST_CASE("a base is handed over, and expires as it would have", "[memory]") {
  const Options o;
  Engine before(o);
  before.set_group(two_paths(), at(0));
  feed(before, 0, 10, 20, 30);
  feed(before, 10, 310, 50, 60);  // a queue stands
  const auto m = before.memory(NexthopId{1}, at(310));
  REQUIRE(m);
  REQUIRE(m->bases.size() == 1);
  CHECK(m->bases[0].anchor == kAnchor);
  CHECK(m->bases[0].rtt_ms == Approx(20));
  CHECK(seconds(m->bases[0].age) == Approx(305).margin(30));  // slots of 30 s

  Engine after(o);
  after.set_group(two_paths(), at(0));
  after.recall(NexthopId{1}, *m, at(0));
  const auto handed_on = after.memory(NexthopId{1}, at(60));  // before any sample came
  REQUIRE(handed_on);
  REQUIRE(handed_on->bases.size() == 1);
  CHECK(seconds(handed_on->bases[0].age - m->bases[0].age) == Approx(60));

  feed(after, 0, 30, 50, 60);
  CHECK(base_ms(after, 1) == Approx(20));
  CHECK(base_ms(after, 2) == Approx(60));  // of which nothing was known
  feed(after, 30, 240, 50, 60);
  CHECK(base_ms(after, 1) == Approx(20));
  feed(after, 240, 370, 50, 60);
  CHECK(base_ms(after, 1) == Approx(50));
}

TEST_CASE("a base is taken up after the first samples too, or by a clock that began anew",
          "[memory]") {
  Engine engine(Options{});
  const TimePoint boot{std::chrono::seconds(5)};
  engine.set_group(two_paths(), boot);
  Sample sample = reply(1, 0, 50);
  sample.sent = boot;
  sample.known = boot + ms(50);
  for (int i = 0; i < 10; ++i) {
    engine.observe(sample);
    sample.sent += ms(200);
    sample.known += ms(200);
  }
  engine.recall(NexthopId{1}, {.bases = {{kAnchor, 20, std::chrono::minutes(5)}}},
                boot + std::chrono::seconds(3));
  engine.decide(boot + std::chrono::seconds(3));
  CHECK(base_ms(engine, 1) == Approx(20));
}

TEST_CASE("what is too old, not probed or absurd is not taken up", "[memory]") {
  Engine engine(Options{});
  engine.set_group(two_paths(), at(0));
  NexthopMemory m;
  SECTION("too old") {
    m.bases = {{kAnchor, 20, std::chrono::minutes(10)}};
  }
  SECTION("not probed any more") {
    engine.set_anchors(NexthopId{1}, std::vector<Anchor>{anchor_address(7)});
    m.bases = {{kAnchor, 20, Duration::zero()}};
  }
  SECTION("absurd") {
    m.bases = {{kAnchor, -20, Duration::zero()},
               {kAnchor, std::nan(""), Duration::zero()},
               {kAnchor, std::numeric_limits<double>::infinity(), Duration::zero()},
               {kAnchor, 20, -std::chrono::hours(1)}};
    m.penalty = std::nan("");
  }
  engine.recall(NexthopId{1}, m, at(0));
  const auto kept = engine.memory(NexthopId{1}, at(0));
  REQUIRE(kept);
  CHECK(kept->bases.empty());
  CHECK(kept->penalty == 0);
}

TEST_CASE("more bases than a nexthop may have anchors are not kept", "[memory]") {
  Engine engine(Options{});
  NexthopMemory m;
  for (std::uint32_t i = 1; i < 200; ++i) m.bases.push_back({anchor_address(i), 20, {}});
  engine.recall(NexthopId{1}, m, at(0));
  CHECK(engine.memory(NexthopId{1}, at(0))->bases.size() == 16);
}

TEST_CASE("a flap penalty is handed over, and decays on", "[memory]") {
  const Options o;
  Engine before(o);
  before.set_group(two_paths(), at(0));
  feed(before, 0, 10, 20, 20);
  for (int i = 0; i < 4; ++i)
    for (const bool up : {false, true})
      before.observe(NexthopEvent{NexthopId{1}, at(10), up, true});
  const auto m = before.memory(NexthopId{1}, at(10));
  REQUIRE(m);
  CHECK(m->penalty == Approx(4000).epsilon(0.01));

  Engine after(o);
  after.set_group(two_paths(), at(0));
  NexthopMemory aged = *m;
  aged.penalty_age = o.flap_half_life;
  after.recall(NexthopId{1}, aged, at(0));
  CHECK(after.nexthop(NexthopId{1})->penalty == Approx(2000).epsilon(0.01));
  CHECK(after.memory(NexthopId{1}, at(0) + o.flap_half_life)->penalty ==
        Approx(1000).epsilon(0.01));
}

TEST_CASE("a penalty that was over the limit damps after a restart too", "[memory]") {
  const Options o;
  Health h;
  h.recall(4000, Duration::zero(), at(0), o);
  CHECK(h.suppressed(at(1), o));
  CHECK_FALSE(h.suppressed(at(200), o));
  Health calm;
  calm.recall(2000, Duration::zero(), at(0), o);
  CHECK_FALSE(calm.suppressed(at(1), o));
  calm.recall(1e300, Duration::min(), at(0), o);
  CHECK(calm.penalty(at(0), o) == Approx(16 * o.flap_reuse));
}

TEST_CASE("wanted shares are handed over by nexthop, before the first decision alone", "[memory]") {
  Engine before(Options{});
  before.set_group(two_paths(), at(0));
  feed(before, 0, 200, 20, 60);
  const auto m = before.memory(GroupId{1}, at(200));
  REQUIRE(m);
  REQUIRE(m->shares.size() == 2);
  REQUIRE(m->shares[0].wanted > 0.6);

  Engine after(Options{});
  after.set_group(two_paths(), at(0));
  SECTION("as they were") {
    after.recall(GroupId{1}, *m, at(0));
    after.decide(at(0));
    CHECK(after.group(GroupId{1})[0].weight == Approx(before.group(GroupId{1})[0].weight));
  }
  SECTION("a path that was not known then has routing's own share") {
    Group three = two_paths();
    three.paths.push_back({PathId{3}, NexthopId{3}, 2});
    after.set_group(three, at(0));
    after.recall(GroupId{1}, *m, at(0));
    after.decide(at(0));
    const auto paths = after.group(GroupId{1});
    CHECK(paths[2].weight == Approx(0.5).epsilon(0.02));
    CHECK(paths[0].weight == Approx(m->shares[0].wanted / 2).epsilon(0.02));
  }
  SECTION("not once decided") {
    after.decide(at(0));
    after.recall(GroupId{1}, *m, at(0));
    after.decide(at(1));
    CHECK(after.group(GroupId{1})[0].weight == Approx(0.5));
  }
  SECTION("absurd ones leave routing's own") {
    GroupMemory bad;
    bad.shares = {{NexthopId{1}, std::nan("")}, {NexthopId{1}, -3}, {NexthopId{2}, 1e300}};
    after.recall(GroupId{1}, bad, at(0));
    after.decide(at(0));
    CHECK(after.group(GroupId{1})[0].weight == Approx(0.5));
  }
}

TEST_CASE("a running revert is handed over", "[memory]") {
  Engine engine(Options{});
  engine.set_group(two_paths(), at(0));
  const GroupMemory m{{}, true, std::chrono::minutes(5), 2, {}};
  engine.recall(GroupId{1}, m, at(0));
  engine.decide(at(0));
  CHECK(engine.law(GroupId{1})->reverted);
  const auto kept = engine.memory(GroupId{1}, at(60));
  REQUIRE(kept);
  CHECK(kept->reverted);
  CHECK(seconds(kept->reverted_for) == Approx(240));
  CHECK(kept->reverts == 2);
}

TEST_CASE("of what is not known there is no memory", "[memory]") {
  Engine engine(Options{});
  CHECK_FALSE(engine.memory(NexthopId{1}, at(0)));
  CHECK_FALSE(engine.memory(GroupId{1}, at(0)));
  engine.recall(GroupId{1}, {}, at(0));
  CHECK_FALSE(engine.memory(GroupId{1}, at(0)));
}

TEST_CASE("the effect of a decision that moved traffic is told with its number", "[memory]") {
  Engine engine(Options{});
  engine.set_group(two_paths(), at(0));
  feed(engine, 0, 20, 20, 30);
  engine.take_effects();
  engine.observe(NexthopEvent{NexthopId{2}, at(20), false, true});
  const auto decisions = engine.decide(at(20));
  REQUIRE(decisions.size() == 1);
  for (double s = 20; s < 51; s += 0.2) {
    engine.observe(reply(1, s, 22));
    engine.decide(at(s));
  }
  const auto effects = engine.take_effects();
  REQUIRE_FALSE(effects.empty());
  CHECK(effects.back().decision == decisions[0].id);
  CHECK(effects.back().before_ms.value() == Approx(25).margin(5.1));
  CHECK(effects.back().after_ms.value() == Approx(22));
}

// Both ways are alike to probes; what is predicted is what the flows meet, and so must be what
// came.
TEST_CASE("the effect of a decision that the traffic asked for is told in the traffic's times",
          "[memory]") {
  Engine engine(Options{});
  engine.set_group(two_paths(), at(0));
  std::vector<Effect> effects;
  for (int tick = 0; tick < 600; ++tick) {
    const double s = 0.2 * tick;
    for (const std::uint32_t n : {1, 2}) {
      engine.observe(reply(n, s, 20));
      PassiveRtt rtt;
      rtt.samples = 100;
      rtt.mean = rtt.p10 = rtt.p50 = rtt.p90 = rtt.p99 = ms(n == 1 ? 50 : 20);
      if (tick % 5 == 0) engine.observe(PathReading{PathId{n}, at(s), ms(1000), {}, rtt});
    }
    engine.decide(at(s));
    for (Effect& effect : engine.take_effects()) effects.push_back(std::move(effect));
  }
  REQUIRE_FALSE(effects.empty());
  CHECK(effects.front().after_ms.value_or(0) > 30);  // of equal shares
  CHECK(effects.back().after_ms.value_or(99) < 22);
}
