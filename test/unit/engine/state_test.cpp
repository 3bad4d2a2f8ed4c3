#include "core/engine/state.hpp"

#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

TEST_CASE("a nexthop falls by one sign and rises by proof and ramp", "[engine]") {
  const Options o;
  Health h;
  CHECK(h.state() == PathState::probation);
  CHECK_FALSE(h.recovering());
  CHECK(h.advance({.answering = true}, at(1), o) == PathState::up);
  CHECK_FALSE(h.advance({.answering = true}, at(2), o));
  CHECK(h.advance({.worse = true, .answering = true}, at(3), o) == PathState::degraded);
  CHECK(h.fell_at() == at(3));
  CHECK_FALSE(h.advance({.answering = true}, at(4), o));
  CHECK(h.advance({.answering = true, .settled = true}, at(5), o) == PathState::probation);
  CHECK(h.recovering());
  CHECK_FALSE(h.advance({.answering = true, .ramping = true}, at(6), o));
  CHECK(h.advance({.answering = true}, at(7), o) == PathState::up);
}

TEST_CASE("a dead nexthop that answers slowly is degraded, not dead", "[engine]") {
  const Options o;
  Health h;
  CHECK(h.advance({.silent = true}, at(1), o) == PathState::down);
  CHECK(h.advance({.recalled = true}, at(2), o) == PathState::degraded);
  CHECK(h.advance({.silent = true}, at(3), o) == PathState::down);
  CHECK(h.penalty(at(3), o) < o.flap_penalty + 1);  // one fault, one penalty
  CHECK(h.advance({.worse = true, .stepped = true, .answering = true}, at(4), o) ==
        PathState::degraded);
}

TEST_CASE("a penalty halves each half-life, suppresses high and frees low", "[engine]") {
  const Options o;
  FlapPenalty p;
  for (int i = 0; i < 3; ++i) p.add(at(i), o);
  CHECK_FALSE(p.suppressed(at(3), o));
  p.add(at(4), o);
  CHECK(p.suppressed(at(4), o));
  const double high = p.at(at(4), o);
  CHECK(p.at(at(64), o) == Approx(high / 2));
  CHECK(p.suppressed(at(64), o));  // between reuse and suppress: as it was
  CHECK_FALSE(p.suppressed(at(4 + 60 * 2.5), o));
  for (int i = 0; i < 1000; ++i) p.add(at(200 + i), o);
  CHECK_FALSE(p.suppressed(at(1200 + 4 * 60), o));  // the ceiling
}

TEST_CASE("a forgiven fall adds no penalty and suppresses nothing", "[engine]") {
  const Options o;
  FlapPenalty p;
  for (int i = 0; i < 4; ++i) p.add(at(0), o);
  REQUIRE(p.suppressed(at(0), o));
  p.forgive(at(0), o);
  CHECK(p.at(at(0), o) == Approx(3 * o.flap_penalty));
  CHECK_FALSE(p.suppressed(at(0), o));
  for (int i = 0; i < 9; ++i) p.forgive(at(1), o);
  CHECK(p.at(at(1), o) == 0);
}

TEST_CASE("link down is down, and its return is probation", "[engine]") {
  const Options o;
  Health h;
  h.advance({.answering = true}, at(1), o);
  h.cut(at(2), o);
  CHECK(h.state() == PathState::down);
  h.restore();
  CHECK(h.recovering());
}
