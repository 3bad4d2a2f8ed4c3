#include "core/engine/engine.hpp"

#include <algorithm>

#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

Group group(std::uint32_t id, std::vector<std::pair<std::uint32_t, std::uint32_t>> nexthops) {
  Group g{GroupId{id}, {}};
  for (const auto& [nexthop, weight] : nexthops)
    g.paths.push_back({PathId{id * 100 + nexthop}, NexthopId{nexthop}, weight});
  return g;
}

std::vector<double> weights(const Engine& engine, std::uint32_t id = 1) {
  std::vector<double> all;
  for (const PathView& p : engine.group(GroupId{id})) all.push_back(p.weight);
  return all;
}

bool near(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return std::abs(x - y) < 1e-6; });
}

/// An engine whose nexthops are probed five times a second on several anchors.
struct Bench {
  Engine engine{Options{}};
  double t = 0;
  std::vector<Decision> decisions;

  Bench() = default;
  explicit Bench(const Group& g) { engine.set_group(g, at(0)); }

  using Answer = std::function<std::optional<double>(std::uint32_t nexthop, std::uint32_t anchor)>;
  /// Runs `s` seconds; `answer` gives the RTT in ms, or nothing for a lost probe.
  void run(double s, std::uint32_t nexthops, std::uint32_t anchors, const Answer& answer) {
    for (const double end = t + s; t < end; t += 0.2) {
      for (std::uint32_t n = 1; n <= nexthops; ++n) {
        for (std::uint32_t a = 1; a <= anchors; ++a) {
          const auto rtt = answer(n, a);
          engine.observe(Sample{
              NexthopId{n}, anchor_address(a), rtt ? Outcome::reply : Outcome::lost, at(t),
              at(t + (rtt ? *rtt / 1000 : 0.1)), ms(rtt.value_or(0)), TimestampSource::kernel});
        }
      }
      for (Decision& d : engine.decide(at(t + 0.19))) decisions.push_back(std::move(d));
    }
  }
  [[nodiscard]] PathState state(std::uint32_t n) const {
    return engine.nexthop(NexthopId{n})->state;
  }
};

}  // namespace

TEST_CASE("a new group starts from routing's own weights, and nothing moves without samples",
          "[engine]") {
  Bench b(group(1, {{1, 3}, {2, 1}}));
  b.run(60, 0, 0, {});
  REQUIRE(b.decisions.size() == 1);
  CHECK(b.decisions[0].reason == Reason::initial);
  CHECK(b.decisions[0].paths[0].before == 0);
  CHECK(near(weights(b.engine), {0.75, 0.25}));
  CHECK(b.engine.group(GroupId{1})[0].path == PathId{101});
}

TEST_CASE("a group that an earlier daemon left starts from what its paths hold", "[engine]") {
  Bench b;
  b.engine.set_group(group(1, {{1, 1}, {2, 3}}), at(0), std::vector<std::uint32_t>{896, 128});
  b.run(0.2, 0, 0, {});
  REQUIRE(b.decisions.size() == 1);
  CHECK(near(weights(b.engine), {0.875, 0.125}));

  // One that held nothing had been unusable.
  b.engine.set_group(group(2, {{1, 1}, {2, 1}, {3, 2}}), at(b.t),
                     std::vector<std::uint32_t>{768, 256, 0});
  b.run(0.2, 0, 0, {});
  CHECK(near(weights(b.engine, 2), {0.375, 0.125, 0.5}));
  b.engine.set_group(group(3, {{1, 1}, {2, 3}}), at(b.t), std::vector<std::uint32_t>{0, 0});
  b.run(0.2, 0, 0, {});
  CHECK(near(weights(b.engine, 3), {0.25, 0.75}));
}

TEST_CASE("a share of routing's below the floor stays as small as it is", "[engine]") {
  Bench b(group(1, {{1, 255}, {2, 1}}));
  b.run(1, 0, 0, {});
  CHECK(weights(b.engine)[1] == Approx(1.0 / 256).margin(1e-6));
}

TEST_CASE("paths that stay keep their proportion when a group changes", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  // The slow law makes 1 cheaper.
  b.run(20, 2, 1, [](auto n, auto) { return n == 1 ? 20 : 60; });
  const auto before = weights(b.engine);
  REQUIRE(before[0] > 0.6);
  b.engine.set_group(group(1, {{1, 1}, {2, 1}, {3, 2}}), at(b.t));
  b.run(0.2, 0, 0, {});
  const auto after = weights(b.engine);
  CHECK(after[2] == Approx(0.5).margin(0.01));
  CHECK(after[0] / after[1] == Approx(before[0] / before[1]).margin(0.01));
  b.engine.set_group(group(1, {{2, 1}, {3, 2}}), at(b.t));
  b.engine.remove_nexthop(NexthopId{1});
  CHECK_FALSE(b.engine.nexthop(NexthopId{1}));
  b.run(0.2, 0, 0, {});
  CHECK(weights(b.engine)[0] + weights(b.engine)[1] == Approx(1));
}

TEST_CASE("groups share what is known of a nexthop, and each decides for itself", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  b.engine.set_group(group(2, {{1, 1}, {3, 1}}), at(0));
  b.engine.set_group(group(3, {{1, 1}}), at(0));
  b.run(60, 3, 1, [](auto, auto) { return 20; });
  REQUIRE(b.decisions.size() == 3);
  b.run(3, 3, 1, [](auto n, auto) { return n == 1 ? std::nullopt : std::optional(20.0); });
  CHECK(near(weights(b.engine, 1), {0, 1}));
  CHECK(near(weights(b.engine, 2), {0, 1}));
  CHECK(near(weights(b.engine, 3), {1}));  // has no other
  REQUIRE(b.decisions.size() == 6);
  CHECK(b.decisions[5].reason == Reason::no_alternative_hold);
  b.engine.remove_group(GroupId{2});
  CHECK(b.engine.group(GroupId{2}).empty());
  b.engine.remove_group(GroupId{2});
}

TEST_CASE("an anchor that never answered anybody proves nothing", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  b.run(60, 2, 1, [](auto, auto) { return std::nullopt; });
  CHECK(b.decisions.size() == 1);
  CHECK_FALSE(b.engine.nexthop(NexthopId{1})->suspicious);
  // But one that answers through the other path proves a black hole from the start.
  b.run(5, 2, 1, [](auto n, auto) { return n == 1 ? std::nullopt : std::optional(20.0); });
  CHECK(b.state(1) == PathState::down);
  CHECK(near(weights(b.engine), {0, 1}));
}

TEST_CASE("doubt asks for faster probes, certainty does not", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  const auto good = [](auto, auto) { return std::optional(20.0); };
  b.run(60, 2, 1, good);
  CHECK_FALSE(b.engine.nexthop(NexthopId{1})->suspicious);
  b.run(0.2, 2, 1, [](auto n, auto) { return n == 1 ? std::nullopt : std::optional(20.0); });
  CHECK(b.engine.nexthop(NexthopId{1})->suspicious);
  CHECK_FALSE(b.engine.nexthop(NexthopId{2})->suspicious);
  b.run(0.2, 2, 1, good);
  CHECK_FALSE(b.engine.nexthop(NexthopId{1})->suspicious);
  b.run(5, 2, 1, [](auto n, auto) { return n == 1 ? std::nullopt : std::optional(20.0); });
  CHECK_FALSE(b.engine.nexthop(NexthopId{1})->suspicious);
}

TEST_CASE("a flow that escapes has its nexthop looked at closer, and moves nothing", "[engine]") {
  const auto suspicious = [](const Bench& b, std::uint32_t n) {
    return b.engine.nexthop(NexthopId{n})->suspicious;
  };
  const auto well = [](std::uint32_t, std::uint32_t) { return 20.0; };
  Bench b(group(1, {{1, 1}, {2, 1}}));
  b.run(10, 2, 1, well);
  const auto before = b.decisions.size();
  b.engine.observe(EscapeEvent{NexthopId{1}, at(b.t)});
  b.engine.observe(EscapeEvent{NexthopId{77}, at(b.t)});  // of no group: ignored
  CHECK(suspicious(b, 1));
  CHECK_FALSE(suspicious(b, 2));
  b.run(2, 2, 1, well);
  CHECK(suspicious(b, 1));
  b.run(2, 2, 1, well);
  CHECK_FALSE(suspicious(b, 1));
  CHECK(b.decisions.size() == before);
  CHECK(near(weights(b.engine), {0.5, 0.5}));
}

TEST_CASE("a neighbour unresolved at the start is not usable yet, and no fault", "[engine]") {
  Bench b;
  b.engine.observe(NexthopEvent{NexthopId{1}, at(0), true, false});
  b.engine.observe(NexthopEvent{NexthopId{2}, at(0), true, true});
  b.engine.set_group(group(1, {{1, 1}, {2, 1}}), at(0));
  b.run(1, 0, 0, {});
  CHECK(near(weights(b.engine), {0, 1}));
  CHECK(b.engine.nexthop(NexthopId{1})->penalty == 0);
  b.engine.observe(NexthopEvent{NexthopId{1}, at(1), true, true});
  b.run(1, 0, 0, {});
  CHECK(near(weights(b.engine), {0.5, 0.5}));
}

TEST_CASE("with every link down all weights are zero, and the first to return takes all",
          "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  b.run(20, 2, 1, [](auto, auto) { return 20; });
  for (std::uint32_t n : {1u, 2u})
    b.engine.observe(NexthopEvent{NexthopId{n}, at(20), false, true});
  b.run(1, 0, 0, {});
  CHECK(near(weights(b.engine), {0, 0}));
  b.engine.observe(NexthopEvent{NexthopId{2}, at(21), true, true});
  b.run(1, 0, 0, {});
  CHECK(near(weights(b.engine), {0, 1}));
}

TEST_CASE("nonsense in is nothing out", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  b.run(20, 2, 1, [](auto, auto) { return 20; });
  const auto feed = [&](Duration rtt, double known, std::uint32_t nexthop) {
    for (const Outcome outcome : {Outcome::reply, Outcome::late})
      for (int i = 0; i < 100; ++i)
        b.engine.observe(Sample{NexthopId{nexthop}, anchor_address(1), outcome, at(known),
                                at(known), rtt, TimestampSource::user});
  };
  feed(Duration::min(), b.t, 1);
  feed(Duration::max(), b.t, 1);
  feed(Duration::zero(), b.t, 1);
  feed(ms(500), b.t + 3600, 1);  // the future
  feed(ms(500), b.t - 10, 1);    // the past
  feed(ms(500), b.t, 7);         // nobody's
  CHECK_FALSE(b.engine.nexthop(NexthopId{7}));
  CHECK(b.engine.decide(at(-100)).empty());  // and time that runs back
  b.run(20, 2, 1, [](auto, auto) { return 20; });
  CHECK(b.decisions.size() == 1);
  CHECK(b.state(1) == PathState::up);

  b.engine.set_group(group(9, {}), at(b.t));
  b.engine.set_group(group(10, {{1, 0}, {2, 0}}), at(b.t));
  b.run(1, 0, 0, {});
  CHECK(b.engine.group(GroupId{9}).empty());
  CHECK(near(weights(b.engine, 10), {0.5, 0.5}));
}

TEST_CASE("new options keep estimates, states and weights", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  b.run(30, 2, 1, [](auto n, auto) { return n == 1 ? 20 : 60; });
  const auto before = weights(b.engine);
  const auto base = b.engine.nexthop(NexthopId{1})->estimate.base;
  Options o;
  o.base_window = std::chrono::minutes(1);
  o.max_step = 0;
  b.engine.reconfigure(o);
  b.run(30, 2, 1, [](auto n, auto) { return n == 1 ? 25 : 60; });
  CHECK(weights(b.engine) == before);
  CHECK(b.engine.nexthop(NexthopId{1})->estimate.base == base);
  CHECK(b.state(2) == PathState::up);
}

TEST_CASE("groups that come and go each second leave nothing behind", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  for (int i = 0; i < 200; ++i) {
    b.engine.set_group(i % 2 ? group(1, {{1, 1}, {2, 1}}) : group(1, {{2, 1}, {3, 1}}), at(b.t));
    if (i % 3 == 0) b.engine.set_group(group(2, {{1, 1}, {3, 1}}), at(b.t));
    if (i % 3 == 2) b.engine.remove_group(GroupId{2});
    b.run(1, 3, 1, [&](auto n, auto) {
      return (i / 10 + static_cast<int>(n)) % 4 ? std::optional(20.0) : std::nullopt;
    });
    double sum = 0;
    for (const double w : weights(b.engine)) sum += w;
    CHECK(sum == Approx(1));
  }
  b.engine.remove_group(GroupId{1});
  b.engine.remove_group(GroupId{2});
  for (std::uint32_t n = 1; n <= 3; ++n) {
    b.engine.remove_nexthop(NexthopId{n});
    CHECK_FALSE(b.engine.nexthop(NexthopId{n}));
  }
}

TEST_CASE("a nexthop that BFD takes out carries nothing, for a reason of its own", "[engine]") {
  Bench b(group(1, {{1, 1}, {2, 1}}));
  b.run(20, 2, 1, [](auto, auto) { return 20; });
  b.engine.observe(NexthopEvent{NexthopId{1}, at(20), true, true, true});
  b.run(1, 2, 1, [](auto, auto) { return 20; });
  CHECK(near(weights(b.engine), {0, 1}));
  const auto fell = std::find_if(b.decisions.begin(), b.decisions.end(),
                                 [](const Decision& d) { return d.reason == Reason::bfd_down; });
  REQUIRE(fell != b.decisions.end());
  CHECK(fell->cause == NexthopId{1});
  CHECK_THAT(fell->evidence, Catch::Contains("bfd=down"));
  // It does not bring back what has no carrier.
  b.engine.observe(NexthopEvent{NexthopId{1}, at(21), false, true, false});
  b.run(1, 2, 1, [](auto, auto) { return 20; });
  CHECK(near(weights(b.engine), {0, 1}));
  b.engine.observe(NexthopEvent{NexthopId{1}, at(22), true, true, false});
  b.run(5, 2, 1, [](auto, auto) { return 20; });
  CHECK(weights(b.engine)[0] > 0);
}
