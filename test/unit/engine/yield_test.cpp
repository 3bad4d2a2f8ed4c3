// Queues on paths that carry much of ours: a part gives way, and what was too much is remembered.
#include <algorithm>

#include "test/catch.hpp"
#include "test/unit/engine/loop.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

constexpr double kMbit = 1e6;

double learnt(const Loop& loop) {
  return loop.engine.carrier(NexthopId{1})->capacity_bit_s.value_or(0);
}

double least_weight(Loop& loop, double s) {
  double least = 1;
  for (int i = 0; i < s; ++i) {
    loop.run(1);
    least = std::min(least, loop.weight(0, 0));
  }
  return least;
}

}  // namespace

TEST_CASE("to others' load further on gives way as much as is too much", "[engine][law]") {
  for (const std::uint32_t seed : {1u, 2u, 3u}) {
    LoopOptions options;
    options.seed = seed;
    Loop loop({{1000 * kMbit, 20, 100, 0, 1000 * kMbit}, {1000 * kMbit, 40, 100, 0, 1000 * kMbit}},
              {{{0, 1}, 700 * kMbit}}, options);
    loop.run(200);
    REQUIRE(loop.weight(0, 0) > 0.95);
    double least = 1;
    for (int s = 0; s < 40; ++s) {  // 1040 of 1000 in the end
      loop.links[0].hidden += 8.5 * kMbit;
      least = std::min(least, least_weight(loop, 1));
    }
    least = std::min(least, least_weight(loop, 60));
    INFO("seed " << seed << loop.log());
    CHECK(least > 0.4);  // the path was not left for what 4 % did
    loop.settle();
    loop.run(120);
    CHECK(loop.mean_ms() < 30);
    CHECK(loop.loss() < 0.001);
    CHECK(loop.weight(0, 0) < 0.95);
    CHECK(loop.weight(0, 0) > 0.6);
    CHECK(learnt(loop) < 720 * kMbit);
    CHECK(learnt(loop) > 500 * kMbit);
  }
}

TEST_CASE("a queue that does not shrink takes the whole path, unless our own load explains it",
          "[engine][law]") {
  Loop loop({{1000 * kMbit, 20, 60, 0, 1000 * kMbit}, {1000 * kMbit, 25, 60, 0, 1000 * kMbit}},
            {{{0, 1}, 500 * kMbit}});
  loop.run(200);
  REQUIRE(loop.weight(0, 0) > 0.95);
  for (int s = 0; s < 30; ++s) {
    loop.links[0].hidden += 34 * kMbit;  // as much as all that the link can carry
    loop.run(1);
  }
  loop.run(20);
  INFO(loop.log());
  CHECK(loop.weight(0, 0) < 0.02);
}

TEST_CASE("a way that has become longer by too little to tell at once is left, and teaches nothing",
          "[engine][law]") {
  Loop loop({{1000 * kMbit, 20, 100, 0, 1000 * kMbit}, {1000 * kMbit, 25, 100, 0, 1000 * kMbit}},
            {{{0, 1}, 400 * kMbit}});
  loop.run(200);
  REQUIRE(loop.weight(0, 0) > 0.95);
  loop.links[0].rtt_ms += 17;
  loop.run(4);
  INFO(loop.log());
  CHECK(loop.weight(0, 0) < 0.02);
  CHECK(learnt(loop) == 1000 * kMbit);
}

TEST_CASE("a path returns after its fault though a cheaper one, which is full, is better",
          "[engine][law]") {
  Loop loop({{100 * kMbit, 15, 100, 0, 100 * kMbit},
             {400 * kMbit, 25, 100, 0, 400 * kMbit},
             {1000 * kMbit, 50, 100, 0, 1000 * kMbit}},
            {{{0, 1, 2}, 430 * kMbit}});
  loop.run(300);
  const double before = loop.weight(0, 1);
  REQUIRE(before > 0.5);
  loop.links[1].rtt_ms += 100;
  loop.run(20);
  REQUIRE(loop.weight(0, 1) < 0.02);
  loop.links[1].rtt_ms -= 100;
  loop.run(400);
  INFO(loop.log());
  CHECK(loop.weight(0, 1) > 0.9 * before);
}

TEST_CASE("as much gives way while a third path is out", "[engine][law]") {
  Loop loop({{1000 * kMbit, 20, 100, 0, 1000 * kMbit},
             {1000 * kMbit, 40, 100, 0, 1000 * kMbit},
             {1000 * kMbit, 20, 100, 0, 1000 * kMbit}},
            {{{0, 1, 2}, 700 * kMbit}});
  loop.run(20);
  loop.engine.observe(NexthopEvent{NexthopId{3}, at(20), true, false});
  loop.run(300);
  REQUIRE(loop.weight(0, 0) > 0.95);
  REQUIRE(loop.engine.law(GroupId{1})->paths[0].wanted < 0.7);
  loop.decisions.clear();
  for (int s = 0; s < 40; ++s) {
    loop.links[0].hidden += 8.5 * kMbit;
    loop.run(1);
  }
  INFO(loop.log());
  const auto first = std::ranges::find(loop.decisions, Reason::path_degraded, &Decision::reason);
  REQUIRE(first != loop.decisions.end());
  CHECK(first->paths[0].after > 0.8);
}

TEST_CASE("where objectives that nothing meets leave it to routing, a queue only limits a path",
          "[engine][law]") {
  LoopGroup group{{0, 1}, 700 * kMbit};
  group.terms.objectives.max_latency = ms(5);
  group.terms.objectives.unmet = Unmet::routing;
  Loop loop({{1000 * kMbit, 20, 100, 0, 1000 * kMbit}, {1000 * kMbit, 22, 100, 0, 1000 * kMbit}},
            {group});
  loop.run(200);
  REQUIRE(loop.weight(0, 0) == Approx(0.5).margin(0.001));
  for (int s = 0; s < 40; ++s) {
    loop.links[0].hidden += 18 * kMbit;
    loop.run(1);
  }
  REQUIRE(least_weight(loop, 20) < 0.49);
  INFO(loop.log());
  CHECK(loop.engine.law(GroupId{1})->paths[0].wanted == Approx(0.5));
}
