#include "core/engine/effects.hpp"

#include <cmath>

#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

Decision move(std::uint64_t id, double at_s, double by) {
  Decision d;
  d.group = GroupId{1};
  d.id = id;
  d.at = at(at_s);
  PathShare a;
  a.path = PathId{1};
  a.nexthop = NexthopId{1};
  a.before = 0.5;
  a.after = 0.5 + by;
  a.predicted.rtt_ms = 22;
  PathShare b;
  b.path = PathId{2};
  b.nexthop = NexthopId{2};
  b.before = 0.5;
  b.after = 0.5 - by;
  d.paths = {a, b};
  return d;
}

std::vector<PathFigures> figures(double weight, double a_ms, double b_ms) {
  return {{PathId{1}, weight, a_ms, 3e6, 0.3, 0.01}, {PathId{2}, 1 - weight, b_ms, {}, {}, 0}};
}

}  // namespace

TEST_CASE("what a decision predicted is told beside what came", "[effects]") {
  Effects e;
  CHECK_FALSE(e.note(move(7, 0, 0.4), figures(0.9, 20, 60)));
  CHECK_FALSE(e.due(at(29)));
  CHECK_FALSE(e.advance(at(29), figures(0.9, 25, 50)));
  REQUIRE(e.due(at(30)));
  const auto effect = e.advance(at(30), figures(0.9, 25, 50));
  REQUIRE(effect);
  CHECK(effect->decision == 7);
  CHECK(effect->group == GroupId{1});
  CHECK(effect->before_ms.value() == Approx(40));  // by the weights before it
  CHECK(effect->after_ms.value() == Approx(27.5));
  REQUIRE(effect->paths.size() == 2);
  CHECK(effect->paths[0].predicted.rtt_ms.value() == 22);
  CHECK(effect->paths[0].realised.rtt_ms.value() == 25);
  CHECK(effect->paths[0].realised.bit_s.value() == 3e6);
  CHECK(effect->paths[0].realised.utilisation.value() == 0.3);
  CHECK(effect->paths[0].loss == 0.01);
  CHECK_FALSE(effect->paths[1].realised.bit_s);
  CHECK_FALSE(e.due(at(100)));  // told once
}

TEST_CASE("the next notable decision ends the wait of the one before", "[effects]") {
  Effects e;
  e.note(move(1, 0, 0.1), figures(0.6, 20, 60));
  SECTION("after five seconds it is told") {
    const auto effect = e.note(move(2, 5, 0.1), figures(0.7, 20, 60));
    REQUIRE(effect);
    CHECK(effect->decision == 1);
    CHECK(effect->at == at(5));
  }
  SECTION("before that it is replaced") {
    CHECK_FALSE(e.note(move(2, 4, 0.1), figures(0.7, 20, 60)));
    CHECK(e.advance(at(34), figures(0.7, 20, 60)).value().decision == 2);
  }
  SECTION("one that moves little does not count") {
    CHECK_FALSE(e.note(move(2, 20, 0.005), figures(0.6, 20, 60)));
    CHECK(e.advance(at(30), figures(0.6, 20, 60)).value().decision == 1);
  }
}

TEST_CASE("figures that are missing or absurd are left out", "[effects]") {
  Effects e;
  auto unknown = figures(0.5, 20, 60);
  unknown[1].rtt_ms.reset();
  CHECK_FALSE(mean_rtt_ms(unknown));
  unknown[1].weight = 0.05;
  CHECK(mean_rtt_ms(unknown).value() == 20);
  CHECK_FALSE(mean_rtt_ms({}));

  e.note(move(1, 0, 0.2), unknown);
  auto odd = figures(0.7, std::nan(""), -1);
  odd[0].bit_s = -5;
  odd[0].loss = std::nan("");
  odd.pop_back();  // that path has left
  const auto effect = e.advance(at(30), odd);
  REQUIRE(effect);
  CHECK_FALSE(effect->after_ms);
  REQUIRE(effect->paths.size() == 1);
  CHECK_FALSE(effect->paths[0].realised.rtt_ms);
  CHECK_FALSE(effect->paths[0].realised.bit_s);
  CHECK(effect->paths[0].loss == 0);
}
