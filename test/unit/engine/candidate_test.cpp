// Paths that BGP told of and the kernel's route does not use: when they are taken in, and let go.
#include "test/catch.hpp"
#include "test/unit/engine/simulation.hpp"

using namespace hopwise;
using namespace hopwise::engine;

namespace {

SimulatedPath own(double rtt_ms) {
  return {.rtt_ms = rtt_ms};
}
SimulatedPath candidate(double rtt_ms) {
  return {.rtt_ms = rtt_ms, .kernel_weight = 0};
}

}  // namespace

TEST_CASE("a candidate that is no better carries nothing, ever", "[engine][candidates]") {
  for (const double rtt_ms : {60.0, 20.0, 20.5}) {
    Simulation sim({own(20), candidate(rtt_ms)});
    sim.run_until(600);
    INFO(rtt_ms << '\n' << sim.log());
    CHECK(sim.weight(1) == 1);
    CHECK_FALSE(sim.rose(2, 1e-4, 0));
    CHECK_FALSE(sim.usable(2));
    CHECK(sim.decisions.size() == 1);
  }
}

TEST_CASE("a candidate that is surely better is taken in once it is measured",
          "[engine][candidates]") {
  Simulation sim({own(60), candidate(20)});
  sim.run_until(5);
  CHECK(sim.weight(2) == 0);
  CHECK_FALSE(sim.usable(2));
  sim.run_until(180);
  INFO(sim.log());
  CHECK(sim.weight(2) > 0.95);
  CHECK(sim.count(Reason::candidate) == 1);
  CHECK(*sim.rose(2, 0.001, 0) > 8);  // fifty samples, five a second
  CHECK(*sim.rose(2, 0.5, 0) > 20);   // by the law's steps, 2 % a second
}

TEST_CASE("a candidate needs to be better than the best of routing's own paths",
          "[engine][candidates]") {
  Simulation sim({own(20), own(100), candidate(20.3)});
  sim.run_until(300);
  INFO(sim.log());
  CHECK(sim.weight(1) > 0.95);
  CHECK_FALSE(sim.rose(3, 1e-4, 0));
}

TEST_CASE("a candidate that has become worse is let go, to the last per cent",
          "[engine][candidates]") {
  Simulation sim({own(60), candidate(20)});
  sim.run_until(180);
  REQUIRE(sim.weight(2) > 0.95);
  sim.path(2).drift = [](double s) { return std::min(80.0, (s - 180) * 0.2); };  // no fault
  sim.run_until(1200);
  INFO(sim.log());
  CHECK(sim.weight(2) == 0);
  CHECK(sim.weight(1) == 1);
  CHECK_FALSE(sim.usable(2));
}

TEST_CASE("a fault of the only path moves everything to the candidate, and back after it",
          "[engine][candidates]") {
  Simulation sim({own(20), candidate(25)});
  sim.run_until(60);
  REQUIRE(sim.weight(2) == 0);
  sim.path(1).rtt_ms = 80;
  sim.run_until(70);
  INFO(sim.log());
  REQUIRE(sim.rose(2, 0.9, 60));
  CHECK(*sim.rose(2, 0.9, 60) < 3);
  sim.path(1).rtt_ms = 20;
  sim.run_until(400);
  INFO(sim.log());
  CHECK(sim.weight(1) == 1);
  CHECK_FALSE(sim.usable(2));
}

TEST_CASE("a fault is left for routing's own paths before any candidate", "[engine][candidates]") {
  Simulation sim({own(20), own(22), candidate(15)});
  sim.run_until(8);  // the candidate has not been taken in yet
  sim.path(1).rtt_ms = 90;
  sim.run_until(12);
  INFO(sim.log());
  CHECK(sim.weight(2) > 0.9);
  CHECK(sim.weight(3) < 0.1);
}

TEST_CASE("a black hole of all of routing's paths moves to the candidate", "[engine][candidates]") {
  Simulation sim({own(20), own(22), candidate(30)});
  sim.run_until(60);
  sim.path(1).loss = sim.path(2).loss = 1;
  sim.run_until(66);
  INFO(sim.log());
  REQUIRE(sim.rose(3, 1, 60));
  CHECK(*sim.rose(3, 1, 60) < 4);
  sim.path(1).loss = sim.path(2).loss = 0;
  sim.run_until(300);
  INFO(sim.log());
  CHECK(sim.weight(3) == 0);
}

TEST_CASE("a link that goes down under the only path moves everything at once",
          "[engine][candidates]") {
  Simulation sim({own(20), candidate(60)});
  sim.run_until(60);
  sim.link(1, false);
  sim.run_until(60.3);
  INFO(sim.log());
  CHECK(sim.weight(2) == 1);
  sim.link(1, true);
  sim.run_until(200);
  CHECK(sim.weight(1) == 1);
}

TEST_CASE("a candidate that nobody has measured yet takes nothing, whatever happens",
          "[engine][candidates]") {
  Simulation sim({own(20), candidate(20)});
  sim.path(2).loss = 1;
  sim.run_until(60);
  sim.path(1).loss = 1;
  sim.run_until(90);
  INFO(sim.log());
  CHECK(sim.weight(1) == 1);
  CHECK_FALSE(sim.rose(2, 1e-4, 0));
}

TEST_CASE("a candidate that is withheld stops at once, and returns by proof alone",
          "[engine][candidates]") {
  Simulation sim({own(60), candidate(20)});
  sim.run_until(180);
  REQUIRE(sim.weight(2) > 0.95);
  GroupTerms terms;
  terms.withheld = {NexthopId{2}};
  sim.engine.set_terms(GroupId{1}, terms);
  sim.run_until(180.15);
  INFO(sim.log());
  CHECK(sim.weight(2) == 0);
  CHECK_FALSE(sim.usable(2));
  sim.run_until(240);
  CHECK(sim.weight(2) == 0);
  sim.engine.set_terms(GroupId{1}, GroupTerms{});
  sim.run_until(400);
  CHECK(sim.weight(2) > 0.95);
}

TEST_CASE("what an earlier daemon left a candidate it keeps", "[engine][candidates]") {
  Engine engine{Options{}};
  const Group group{GroupId{1}, {{PathId{1}, NexthopId{1}, 1}, {PathId{2}, NexthopId{2}, 0}}};
  for (const std::vector<std::uint32_t>& holds :
       {std::vector<std::uint32_t>{256, 768}, {0, 1024}, {1024, 0}}) {
    engine.set_group(group, at(0), holds);
    (void)engine.decide(at(0));
    const auto paths = engine.group(GroupId{1});
    const double floor = holds[0] == 0 ? Options{}.floor : 0;
    CHECK(paths[1].weight == Approx(holds[1] / 1024.0 * (1 - floor)));
    CHECK(paths[1].usable == (holds[1] > 0));
    engine.remove_group(GroupId{1});
  }
}

TEST_CASE("the floor is for routing's own paths", "[engine][candidates]") {
  Simulation sim({own(60), candidate(20), candidate(40)});
  sim.run_until(300);
  INFO(sim.log());
  CHECK(sim.weight(1) == Approx(0.01).margin(0.002));
  CHECK(sim.weight(2) > 0.95);
  CHECK_FALSE(sim.rose(3, 1e-4, 0));
}
