// The loop closed through loads that are known: the slow law stops in the interior and stays.
#include <cstdio>

#include "core/engine/load.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/loop.hpp"

using namespace hopwise;
using namespace hopwise::engine;

TEST_CASE("1200 Mb/s over 1000 at 20 ms and 500 at 25 settle within 2 % of the oracle",
          "[engine][law]") {
  for (const double lifetime : {0.5, 10.0}) {
    Loop loop({{1e9, 20, 100, 0, 1e9}, {500e6, 25, 100, 0, 500e6}}, {{{0, 1}, 1200e6, lifetime}});
    loop.run(300);
    loop.settle();
    loop.run(1200);
    INFO(loop.log());
    std::printf("  two paths, flows of %4.1f s: %.2f ms (fluid oracle %.2f), loss %.4f, w %.3f\n",
                lifetime, loop.mean_ms(), loop.oracle_ms(), loop.loss(), loop.weight(0, 0));
    CHECK(loop.mean_ms() < 1.02 * loop.oracle_ms());
    CHECK(loop.loss() < 0.001);
    CHECK(loop.reversals() == 0);
  }
}

namespace {

struct Dice {
  std::mt19937 random;
  double operator()(double from, double to) {
    return from + (to - from) * static_cast<double>(random()) * 0x1p-32;
  }
};

Loop random_plant(std::uint32_t seed, double told) {
  Dice dice{std::mt19937(seed)};
  const auto links = static_cast<std::size_t>(dice(2, 6.99));
  const auto groups = static_cast<std::size_t>(dice(1, 5.99));
  std::vector<LoopLink> all;
  double capacity = 0;
  for (std::size_t n = 0; n < links; ++n) {
    LoopLink link;
    link.capacity = std::exp(dice(std::log(50e6), std::log(2e9)));
    link.rtt_ms = dice(5, 80);
    link.buffer_ms = dice(30, 150);
    link.told = told * link.capacity;
    capacity += link.capacity;
    all.push_back(link);
  }
  std::vector<LoopGroup> some(groups);
  const double load = dice(0.2, 0.8) * std::min(told, 1.0);
  LoopOptions options;
  options.stale_s = std::floor(dice(0, 4.99));
  options.seed = seed;
  options.engine.gain = dice(0.05, 1);  // whatever the scheduler is told
  for (LoopGroup& g : some) {
    for (std::uint32_t n = 0; n < links; ++n) g.links.push_back(n);
    g.demand = load * capacity / static_cast<double>(groups);
    g.lifetime_s = dice(0.5, 15);
  }
  return {all, some, options};
}

}  // namespace

TEST_CASE("shares of groups that share links come to rest on random plants, near the best",
          "[engine][law]") {
  double worst = 0;
  int moves = 0;
  int turns = 0;
  int still = 0;
  int missed = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    Loop loop = random_plant(seed, 1);
    loop.run(400);
    loop.settle();
    loop.run(600);
    INFO("seed " << seed << " mean " << loop.mean_ms() << " oracle " << loop.oracle_ms(0.95)
                 << loop.log());
    turns += loop.reversals();
    still += loop.reversals() == 0;
    // 10 % and 1 ms are not worth a move. Nearly all that still turn do so by less than a percent.
    missed += loop.reversals() > 60 || loop.loss() >= 0.001 ||
              loop.mean_ms() >= 1.1 * loop.oracle_ms(0.95) + 1;
    worst = std::max(worst, loop.mean_ms() / loop.oracle_ms(0.95));
    moves += loop.moves();
  }
  std::printf(
      "  60 random plants: worst %.3f of the oracle at 95 %%, %d moves, %d turns in 10 h, "
      "%d without any; %d missed\n",
      worst, moves, turns, still, missed);
  CHECK(still >= 45);
  CHECK(missed == 0);
}

TEST_CASE("a group that falls silent takes no room from the others", "[engine][law]") {
  Loop loop({{1000e6, 20, 100, 0, 1000e6}, {1000e6, 25, 100, 0, 1000e6}},
            {{{0, 1}, 500e6}, {{0, 1}, 300e6, 10, 0.1}});
  loop.run(300);
  REQUIRE(loop.weight(0, 0) > 0.95);
  loop.groups[1].demand = 0;
  for (int t = 0; t < 900; ++t) {
    loop.run(1);
    INFO(t << " s after" << loop.log());
    REQUIRE(loop.weight(0, 0) > 0.95);
    const GroupLawView law = *loop.engine.law(GroupId{1});
    for (const PathLaw& path : law.paths) REQUIRE(path.predicted.bit_s.value_or(0) < 1000e6);
  }
}
