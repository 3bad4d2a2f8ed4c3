// What a group is told to want: objectives, preference, price, dry-run; and what is absurd.
#include <algorithm>
#include <cmath>
#include <limits>

#include "test/catch.hpp"
#include "test/unit/engine/loop.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

int count(const Loop& loop, Reason reason) {
  return static_cast<int>(std::count_if(loop.decisions.begin(), loop.decisions.end(),
                                        [&](const Decision& d) { return d.reason == reason; }));
}

Loop two(const GroupTerms& terms, double first_ms, double second_ms) {
  LoopGroup group{{0, 1}, 100e6};
  group.terms = terms;
  return {{{1e9, first_ms, 100, 0, 1e9}, {1e9, second_ms, 100, 0, 1e9}}, {group}};
}

}  // namespace

TEST_CASE("a path that breaks an objective is left for one that meets it, and says so",
          "[engine][law]") {
  GroupTerms terms;
  terms.policy.delay_weight = 0;  // so that nothing else moves it
  terms.objectives.max_latency = ms(50);
  Loop loop = two(terms, 60, 30);
  loop.run(60);
  INFO(loop.log());
  CHECK(count(loop, Reason::objective) > 0);
  CHECK(loop.weight(0, 0) == Approx(0.01));
  CHECK_FALSE(loop.engine.law(GroupId{1})->paths[0].meets_objectives);
  CHECK(loop.engine.law(GroupId{1})->paths[1].meets_objectives);
}

TEST_CASE("where no path meets the objectives that is told once, and the nearest carries",
          "[engine][law]") {
  GroupTerms terms;
  terms.policy.delay_weight = 0;
  terms.objectives.max_latency = ms(5);
  terms.objectives.min_bandwidth_bit_s = 1e12;  // nothing can
  Loop best = two(terms, 60, 30);
  best.run(60);
  INFO(best.log());
  CHECK(best.decisions.size() >= 2);
  CHECK(count(best, Reason::objective) == 0);
  CHECK(count(best, Reason::objective_unmet) >= 1);
  CHECK(best.weight(0, 0) + best.weight(0, 1) == Approx(1));

  terms.objectives.min_bandwidth_bit_s.reset();
  terms.objectives.unmet = Unmet::routing;
  Loop routing = two(terms, 60, 30);
  routing.run(60);
  CHECK(count(routing, Reason::objective_unmet) == 1);
  CHECK(routing.weight(0, 0) == Approx(0.5));
}

TEST_CASE("a preferred path is kept until another is faster by its worth", "[engine][law]") {
  GroupTerms terms;
  terms.preferences = {{NexthopId{1}, ms(20)}};
  Loop loop = two(terms, 40, 30);
  loop.run(120);
  CHECK(loop.weight(0, 0) > 0.9);
  Loop beaten = two(terms, 70, 30);
  beaten.run(120);
  CHECK(beaten.weight(0, 0) < 0.1);
  CHECK(beaten.decisions.back().paths[0].terms.preference < 0);
}

TEST_CASE("a dry run decides and explains as ever", "[engine][law]") {
  GroupTerms terms;
  terms.mode = Mode::dry_run;
  Loop loop = two(terms, 20, 60);
  loop.run(120);
  CHECK(loop.engine.law(GroupId{1})->dry_run);
  CHECK(loop.weight(0, 0) > 0.9);
  CHECK(count(loop, Reason::cost) > 0);
}

TEST_CASE("a nexthop that can carry nothing is left", "[engine][law]") {
  Loop loop({{1e9, 20, 100, 0, 0.0}, {1e9, 30, 100, 0, 1e9}}, {{{0, 1}, 100e6}});
  loop.run(60);
  CHECK(loop.weight(0, 0) == Approx(0.01));
}

TEST_CASE("absurd readings change nothing", "[engine][law]") {
  Loop loop = two({}, 20, 20);
  loop.run(60);
  const double before = loop.weight(0, 0);
  const double nan = std::nan("");
  const auto second = std::chrono::seconds(1);
  for (const double bad : {nan, -1.0, std::numeric_limits<double>::infinity()})
    loop.engine.observe(LoadReading{NexthopId{1}, at(60), second, bad});
  loop.engine.observe(LoadReading{NexthopId{1}, at(1e6), second, 1e9});
  loop.engine.observe(LoadReading{NexthopId{1}, at(60), -second, 1e9});
  loop.engine.observe(LoadReading{NexthopId{77}, at(60), second, 1e9});
  PathReading path{PathId{1}, at(1e6), second, {}, {}};
  path.traffic.forward_bytes = std::numeric_limits<std::uint64_t>::max();
  loop.engine.observe(path);
  GroupTerms terms;
  terms.policy.delay_weight = nan;
  terms.policy.load_weight = -3;
  terms.objectives.max_loss = nan;
  terms.objectives.min_bandwidth_bit_s = -5;
  loop.engine.set_terms(GroupId{1}, terms);
  loop.run(60);
  CHECK(loop.weight(0, 0) == Approx(before));
  const auto law = loop.engine.law(GroupId{1});
  REQUIRE(law);
  for (const PathLaw& p : law->paths) CHECK(std::isfinite(p.terms.total()));
}

TEST_CASE("all bit rates a thousandfold change no decision, and a replay is exact",
          "[engine][law]") {
  const auto weights = [](double k) {
    Loop loop({{1e8 * k, 20, 100, 0, 1e8 * k}, {5e7 * k, 25, 100, 0, 5e7 * k}},
              {{{0, 1}, 1.2e8 * k}});
    loop.run(120);
    std::vector<double> all;
    for (const Decision& d : loop.decisions)
      for (const PathShare& p : d.paths) all.push_back(p.after);
    return all;
  };
  const auto once = weights(1);
  REQUIRE(once.size() > 10);
  CHECK(weights(1) == once);
  const auto scaled = weights(1000);
  REQUIRE(scaled.size() == once.size());
  for (std::size_t i = 0; i < once.size(); ++i) CHECK(scaled[i] == Approx(once[i]).margin(1e-4));
}
