// What bounds the slow law in a closed loop: the proof that reverts it, a dry run, price and
// commit, preference, and capacities that are learnt or were told wrong.
#include <algorithm>
#include <array>
#include <cmath>

#include "test/catch.hpp"
#include "test/unit/engine/loop.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

int count(const Loop& loop, Reason reason) {
  return static_cast<int>(
      std::ranges::count(loop.decisions, reason, [](const Decision& d) { return d.reason; }));
}

std::optional<double> first(const Loop& loop, Reason reason) {
  const auto found = std::ranges::find(loop.decisions, reason, &Decision::reason);
  return found == loop.decisions.end() ? std::nullopt : std::optional(seconds(found->at - at(0)));
}

PassiveRtt timed(double rtt_ms) {
  PassiveRtt rtt;
  rtt.samples = 50;
  rtt.mean = rtt.p10 = rtt.p50 = rtt.p90 = rtt.p99 = ms(rtt_ms);
  rtt.by_method[0] = 50;
  return rtt;
}

/// Seconds in which probes run, and flows see what is said here.
class Flows {
 public:
  explicit Flows(Loop& loop) : loop_(loop) {}
  double control_bit_s = 2e6, steered_bit_s = 98e6;
  double control_ms = 20;
  std::array<double, 2> steered_ms{20, 20};  // of each path
  void run(int s) {
    for (int i = 0; i < s; ++i) {
      loop_.run(1);
      second_ += 1;
      const TimePoint now = at(second_);
      const auto paths = loop_.engine.group(GroupId{1});
      loop_.engine.observe(ControlReading{GroupId{1},
                                          now,
                                          1s,
                                          {1000, static_cast<std::uint64_t>(control_bit_s / 8)},
                                          timed(control_ms)});
      for (const PathView& p : paths) {
        if (steered_bit_s * p.weight < 1) continue;
        const auto bytes = static_cast<std::uint64_t>(steered_bit_s * p.weight / 8);
        loop_.engine.observe(PathReading{
            p.path, now, 1s, {1000, bytes}, timed(steered_ms[p.path == PathId{1} ? 0 : 1])});
      }
    }
  }

 private:
  Loop& loop_;
  double second_ = 0;
};

LoopOptions without_readings() {
  LoopOptions options;
  options.traffic = false;
  return options;
}

}  // namespace

TEST_CASE("steering that surely hurts is reverted, and tried again", "[engine][bounds]") {
  Loop loop({{1e9, 60}, {1e9, 20}}, {{{0, 1}, 100e6}}, without_readings());
  Flows flows(loop);
  flows.control_ms = 20;
  flows.steered_ms = {60, 35};  // what routing alone would do is better than either
  flows.run(200);
  REQUIRE(count(loop, Reason::cost) > 0);
  CHECK(loop.weight(0, 0) < 0.45);
  flows.run(400);
  INFO(loop.log());
  REQUIRE(count(loop, Reason::reverted) == 1);
  CHECK(*first(loop, Reason::reverted) > 300);  // hurting for five minutes without a break
  CHECK(loop.weight(0, 0) == Approx(0.5));
  CHECK(loop.engine.law(GroupId{1})->reverted);
  CHECK(loop.engine.law(GroupId{1})->held.starts_with("reverted"));
  flows.control_ms = 40;  // it is cured
  flows.steered_ms = {60, 20};
  flows.run(900);
  REQUIRE(count(loop, Reason::resumed) == 1);
  CHECK(*first(loop, Reason::resumed) - *first(loop, Reason::reverted) == Approx(600).margin(15));
  CHECK(count(loop, Reason::reverted) == 1);
  CHECK(loop.weight(0, 0) < 0.1);
}

TEST_CASE("a group that may not be reverted is not", "[engine][bounds]") {
  LoopGroup group{{0, 1}, 100e6};
  group.terms.revert = false;
  Loop loop({{1e9, 60}, {1e9, 20}}, {group}, without_readings());
  Flows flows(loop);
  flows.control_ms = 20;
  flows.steered_ms = {60, 35};
  flows.run(700);
  CHECK(count(loop, Reason::reverted) == 0);
}

// Its traffic is what the control flows are told to be: the law sees that path 2 would overflow.
TEST_CASE("a dry run decides by what routing carries, and loads nothing", "[engine][bounds]") {
  LoopGroup group{{0, 1}, 0};
  group.terms.mode = Mode::dry_run;
  Loop loop({{2e9, 60, 100, 0, 2e9}, {100e6, 20, 100, 0, 100e6}}, {group}, without_readings());
  Flows flows(loop);
  flows.control_bit_s = 400e6;
  flows.steered_bit_s = 0;
  flows.run(400);
  INFO(loop.log());
  const auto law = *loop.engine.law(GroupId{1});
  CHECK(law.dry_run);
  REQUIRE(law.demand_bit_s);
  CHECK(*law.demand_bit_s == Approx(400e6).epsilon(0.02));
  CHECK(loop.weight(0, 1) == Approx(0.25).margin(0.04));  // what path 2 can take
  // On the nexthops is what routing put there: half each, not what was decided.
  REQUIRE(law.paths[0].own_bit_s);
  CHECK(*law.paths[0].own_bit_s == Approx(200e6).epsilon(0.02));
}

TEST_CASE("the cheapest path carries under the policy of cost", "[engine][bounds]") {
  LoopGroup group{{0, 1}, 100e6};
  group.terms.policy = *policy_named("cost");
  Loop loop({{1e9, 20, 100, 0, 1e9}, {1e9, 30, 100, 0, 1e9}}, {group});
  NexthopTerms dear;
  dear.capacity = Capacity{1e9};
  dear.price = 0.8;
  loop.engine.set_terms(NexthopId{1}, dear);
  loop.run(300);
  INFO(loop.log());
  CHECK(loop.weight(0, 0) == Approx(0.01).margin(0.005));
  // Under the policy of delay the same price is nothing.
  GroupTerms latency;
  latency.policy = *policy_named("latency");
  loop.engine.set_terms(GroupId{1}, latency);
  loop.run(300);
  CHECK(loop.weight(0, 0) > 0.9);
}

// The free twentieth of the period is spent first: then the bound holds.
TEST_CASE("a nexthop over its commit loses load down to what is paid for", "[engine][bounds]") {
  LoopGroup group{{0, 1}, 200e6};
  Loop loop({{1e9, 20, 100, 0, 1e9}, {1e9, 40, 100, 0, 1e9}}, {group});
  NexthopTerms terms;
  terms.capacity = Capacity{1e9};
  terms.commit_bit_s = 100e6;
  loop.engine.set_terms(NexthopId{1}, terms);
  NexthopMemory memory;  // a month, all of whose free slots were over the commit
  memory.commit_slots.assign(8640, 50e6F);
  std::fill_n(memory.commit_slots.end() - 500, 500, 180e6F);
  memory.commit_age = 1min;
  loop.engine.recall(NexthopId{1}, memory, at(0));
  loop.run(600);
  INFO(loop.log());
  CHECK(loop.engine.carrier(NexthopId{1})->capacity_from == "commit");
  CHECK(loop.links[0].load <= 102e6);
  CHECK(loop.links[0].load > 70e6);  // and what is paid for is used
  // Without the commit it carries all.
  terms.commit_bit_s.reset();
  loop.engine.set_terms(NexthopId{1}, terms);
  loop.run(600);
  CHECK(loop.weight(0, 0) > 0.9);
}

TEST_CASE("a preferred path carries until another is faster by its worth, and by the band more",
          "[engine][bounds]") {
  LoopGroup group{{0, 1}, 100e6};
  group.terms.preferences = {{NexthopId{1}, ms(20)}};
  Loop loop({{1e9, 40, 100, 0, 1e9}, {1e9, 30, 100, 0, 1e9}}, {group});
  loop.run(400);
  CHECK(loop.weight(0, 0) > 0.95);  // 10 ms slower: preferred
  loop.links[1].rtt_ms = 20.5;      // 19.5 ms faster: nearly its worth
  loop.run(700);
  CHECK(loop.weight(0, 0) > 0.45);
  loop.links[1].rtt_ms = 12;  // 28 ms: more than that
  loop.run(700);
  CHECK(loop.weight(0, 0) < 0.05);
  loop.decisions.clear();
  loop.links[1].rtt_ms = 19;  // 21 ms: still, and back within the band
  loop.run(300);
  INFO(loop.log());
  CHECK(loop.weight(0, 0) < 0.5);
}

// Both have the same delay idle, nothing is told; the small one overflows at routing's half.
TEST_CASE("a capacity that was learnt takes over from caps", "[engine][bounds]") {
  Loop loop({{1e9, 30}, {100e6, 20}}, {{{0, 1}, 300e6}});
  loop.run(1200);
  const auto carrier = *loop.engine.carrier(NexthopId{2});
  INFO(loop.log());
  REQUIRE(carrier.capacity_bit_s);
  CHECK(carrier.capacity_from == "learnt");
  CHECK(*carrier.capacity_bit_s == Approx(100e6).epsilon(0.12));
  loop.settle();
  loop.run(600);
  CHECK(loop.loss() < 0.002);
  CHECK(loop.weight(0, 1) > 0.2);  // of 0.33 that it can take
  CHECK(loop.weight(0, 1) < 0.34);
  CHECK(loop.reversals() <= 20);
}

TEST_CASE("a capacity that was told 30 % too high is corrected by what comes through",
          "[engine][bounds]") {
  Loop loop({{1e9, 60, 100, 0, 1e9}, {100e6, 20, 100, 0, 130e6}}, {{{0, 1}, 300e6}});
  loop.run(900);
  INFO(loop.log());
  const auto carrier = *loop.engine.carrier(NexthopId{2});
  REQUIRE(carrier.capacity_bit_s);
  CHECK(carrier.capacity_from == "learnt");
  CHECK(*carrier.capacity_bit_s < 108e6);
  loop.settle();
  loop.run(600);
  CHECK(loop.loss() < 0.005);
  CHECK(loop.links[1].queue_ms < 50);
  CHECK(loop.weight(0, 1) > 0.22);
}
