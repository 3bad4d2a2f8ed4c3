// What is impossible, absurd or contradictory, and what the engine does with it: it ignores what no
// measurement can be, brings settings within bounds, and keeps its promises whatever comes.
#include <algorithm>
#include <cmath>
#include <limits>

#include "test/catch.hpp"
#include "test/unit/allocations.hpp"
#include "test/unit/engine/loop.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr GroupId kGroup{1};

/// A group of so many paths, whose nexthops answer.
class Room {
 public:
  explicit Room(std::uint32_t paths, const Options& options = {}) : engine(options) {
    for (std::uint32_t n = 1; n <= paths; ++n) {
      group.paths.push_back({PathId{n}, NexthopId{n}, 1});
      rtt_ms.push_back(20);
      lost.push_back(false);
      engine.observe(NexthopEvent{NexthopId{n}, now, true, true});
    }
    group.id = kGroup;
    engine.set_group(group, now);
  }
  void run(double s) {
    for (int tick = 0; tick < std::lround(s * 10); ++tick) {
      now += 100ms;
      if (++ticks % 2 == 0) probe();
      if (each) each();
      for (Decision& d : engine.decide(now)) decisions.push_back(std::move(d));
      check();
    }
  }
  Sample sample(std::uint32_t n, Outcome outcome, double rtt) const {
    return {NexthopId{n}, anchor_address(1),      outcome, now - ms(rtt), now,
            ms(rtt),      TimestampSource::kernel};
  }
  std::size_t count(Reason reason) const {
    return static_cast<std::size_t>(
        std::ranges::count(decisions, reason, [](const Decision& d) { return d.reason; }));
  }
  double weight(std::uint32_t n) const { return engine.group(kGroup).at(n - 1).weight; }
  void check() const {
    double sum = 0;
    bool usable = false;
    for (const PathView& p : engine.group(kGroup)) {
      REQUIRE(std::isfinite(p.cost));
      REQUIRE(p.weight >= 0);
      usable = usable || p.usable;
      sum += p.weight;
    }
    REQUIRE(sum == Approx(usable ? 1 : 0).margin(1e-9));
  }

  Engine engine;
  Group group;
  std::vector<double> rtt_ms;
  std::vector<bool> lost;
  std::vector<Decision> decisions;
  std::function<void()> each;  // at each tick, before decide()
  TimePoint now = at(0);

 private:
  void probe() {
    for (std::uint32_t n = 1; n <= rtt_ms.size(); ++n) {
      seed_ = seed_ * 6364136223846793005U + 1442695040888963407U;
      const double jitter = static_cast<double>(seed_ >> 40) * 0x1p-24 * 0.4;
      engine.observe(
          sample(n, lost[n - 1] ? Outcome::lost : Outcome::reply, rtt_ms[n - 1] + jitter));
    }
  }
  std::uint64_t seed_ = 1;
  int ticks = 0;
};

void same_as_without(const std::function<void(Room&)>& disturb) {
  const auto play = [](Room& room) {
    room.run(30);
    room.rtt_ms[0] = 80;
    room.run(30);
    room.rtt_ms[0] = 20;
    room.run(60);
  };
  Room quiet(2), disturbed(2);
  disturbed.each = [&] { disturb(disturbed); };
  play(quiet);
  play(disturbed);
  REQUIRE(quiet.decisions.size() > 2);
  REQUIRE(disturbed.decisions.size() == quiet.decisions.size());
  for (std::size_t i = 0; i < quiet.decisions.size(); ++i) {
    CHECK(disturbed.decisions[i].at == quiet.decisions[i].at);
    CHECK(disturbed.decisions[i].evidence == quiet.decisions[i].evidence);
    for (std::size_t p = 0; p < 2; ++p)
      CHECK(disturbed.decisions[i].paths[p].after == quiet.decisions[i].paths[p].after);
  }
}

}  // namespace

TEST_CASE("impossible samples are ignored: nothing is decided otherwise", "[engine][bad]") {
  same_as_without([](Room& room) {
    std::vector<Sample> bad(9, room.sample(1, Outcome::reply, 300));
    bad[0].rtt = -ms(5);
    bad[1].rtt = Duration::zero();
    bad[2].rtt = std::chrono::hours(1);
    bad[3].rtt = Duration::min();
    bad[4].known = room.now - 5min;  // stale: told long after newer ones
    bad[4].sent = bad[4].known - ms(300);
    bad[5].known = room.now + 1h;  // of the future
    bad[6].sent = room.now + 1s;   // known before it left
    bad[7].sent = TimePoint::min();
    bad[8].nexthop = NexthopId{4'000'000'000};
    for (Sample s : bad) {
      room.engine.observe(s);
      s.outcome = Outcome::late;
      room.engine.observe(s);
    }
    // A probe that left an hour ago says nothing of now.
    Sample lost = room.sample(1, Outcome::lost, 0);
    lost.sent = room.now - 1h;
    room.engine.observe(lost);
  });
}

TEST_CASE("impossible readings are ignored: nothing is decided otherwise", "[engine][bad]") {
  same_as_without([](Room& room) {
    const TimePoint now = room.now;
    PassiveRtt rtt;
    rtt.samples = 100;
    rtt.mean = rtt.p10 = rtt.p50 = rtt.p90 = rtt.p99 = ms(500);
    const auto path = [&](TimePoint at, Duration over, std::uint64_t bytes, PassiveRtt timed) {
      room.engine.observe(PathReading{PathId{1}, at, over, {10, bytes}, timed});
    };
    path(now, 0s, 1000, rtt);
    path(now, -1s, 1000, rtt);
    path(now, 24h, 1000, rtt);
    path(now + 1h, 1s, 1000, rtt);
    PassiveRtt absurd = rtt;
    absurd.p50 = -ms(1);
    path(now, 1s, 1000, absurd);
    absurd.p50 = 1h;
    path(now, 1s, 1000, absurd);
    for (const double load : {kNaN, kInfinite, -1.0, -kInfinite, 1e300})
      room.engine.observe(LoadReading{NexthopId{1}, now, 1s, load});
    room.engine.observe(LoadReading{NexthopId{1}, now + 1h, 1s, 1e9});
    room.engine.observe(LoadReading{NexthopId{1}, now, 0s, 1e9});
    room.engine.observe(LoadReading{NexthopId{77}, now, 1s, 1e9});
    room.engine.observe(ControlReading{kGroup, now + 1h, 1s, {1, 1000}, rtt});
    room.engine.observe(ControlReading{kGroup, now, -1s, {1, 1000}, rtt});
    room.engine.observe(ControlReading{GroupId{9}, now, 1s, {1, 1000}, rtt});
    room.engine.observe(PathReading{PathId{4'000'000'000}, now, 1s, {1, 1000}, rtt});
    room.engine.observe(PathReading{PathId{0}, now, 1s, {1, 1000}, rtt});
  });
}

TEST_CASE("absurd traffic, just possible, breaks no promise", "[engine][bad]") {
  Room room(3);
  room.each = [&] {
    for (std::uint32_t n = 1; n <= 3; ++n) {
      PathReading r{PathId{n}, room.now, 1s, {}, {}};
      r.traffic.forward_bytes = std::numeric_limits<std::uint64_t>::max();
      r.traffic.segments = r.traffic.retransmitted = std::numeric_limits<std::uint64_t>::max();
      room.engine.observe(r);
      room.engine.observe(LoadReading{NexthopId{n}, room.now, 1ns, 1e12});
    }
  };
  room.run(60);
  for (std::uint32_t n = 1; n <= 3; ++n) CHECK(room.weight(n) > 0.005);
}

// Time never runs back: an earlier `now` counts as the latest. After a jump ahead nothing is known
// of the time between: nothing moves until new samples have told.
TEST_CASE("a clock that jumps moves no traffic", "[engine][bad]") {
  Room room(2);
  room.run(30);
  const auto before = room.decisions.size();
  for (const Duration jump : {-Duration(1h), Duration(2h), -Duration(24h), Duration(1ms)})
    for (const Decision& d : room.engine.decide(room.now + jump)) room.decisions.push_back(d);
  room.check();
  CHECK(room.decisions.size() == before);
  room.now += 2h;  // and goes on from there
  room.run(60);
  CHECK(room.decisions.size() == before);
  room.lost[0] = true;  // it sees as before
  room.run(5);
  CHECK(room.count(Reason::path_down) == 1);
  CHECK(room.weight(2) == Approx(1));
}

TEST_CASE("a clock that jumped ahead and came back is waited for", "[engine][bad]") {
  Room room(2);
  room.run(30);
  room.engine.decide(room.now + 1min);
  const auto before = room.decisions.size();
  room.run(61);
  CHECK(room.decisions.size() == before);
  room.lost[0] = true;
  room.run(5);
  CHECK(room.count(Reason::path_down) == 1);
  // What the kernel says needs no clock.
  Room other(2);
  other.run(30);
  other.engine.decide(other.now + 1h);
  other.engine.observe(NexthopEvent{NexthopId{1}, other.now, false, true});
  other.run(0.1);
  CHECK(other.weight(2) == Approx(1));
}

TEST_CASE(
    "a path that comes and goes each second for an hour costs no memory and no other decision",
    "[engine][bad]") {
  Room room(3);
  const Group all = room.group;
  Group less = all;
  less.paths.pop_back();
  int second = 0;
  room.run(30);
  const auto seconds = [&](int n) {
    for (int i = 0; i < n; ++i) {
      room.engine.set_group(++second % 2 ? less : all, room.now);
      if (second % 2) room.engine.remove_nexthop(NexthopId{3});
      room.run(1);
    }
  };
  seconds(60);
  room.decisions.clear();
  const auto memory = room.engine.memory(kGroup, room.now)->shares.size();
  seconds(3540);
  CHECK(room.count(Reason::initial) == 3540);
  CHECK(room.decisions.size() == room.count(Reason::initial));
  CHECK(room.engine.memory(kGroup, room.now)->shares.size() == memory);
  CHECK(room.engine.law(kGroup)->paths.size() == 3);
  CHECK(room.weight(1) == Approx(room.weight(2)));
}

TEST_CASE("with all paths dead the last one stays until the kernel takes it", "[engine][bad]") {
  Room room(3);
  room.run(30);
  room.lost = {true, true, true};
  room.run(60);
  double usable = 0;
  for (const PathView& p : room.engine.group(kGroup)) usable += p.usable;
  CHECK(usable > 0);
  for (std::uint32_t n = 1; n <= 3; ++n)
    room.engine.observe(NexthopEvent{NexthopId{n}, room.now, false, false});
  room.run(1);
  for (const PathView& p : room.engine.group(kGroup)) {
    CHECK_FALSE(p.usable);
    CHECK(p.weight == 0);
  }
  const auto told = room.decisions.size();
  room.run(60);
  CHECK(room.decisions.size() == told);
  room.engine.observe(NexthopEvent{NexthopId{2}, room.now, true, true});
  room.run(0.1);
  CHECK(room.weight(2) == Approx(1));
}

TEST_CASE("a capacity of nothing, or no number, breaks no promise", "[engine][bad]") {
  for (const double bit_s : {0.0, -1.0, kNaN, kInfinite, 1e-300, 1e300}) {
    INFO(bit_s);
    LoopGroup group{{0, 1}, 100e6};
    Loop loop({{1e9, 20}, {1e9, 20}}, {group});
    NexthopTerms terms;
    terms.capacity = Capacity{bit_s};
    terms.at_least = Capacity{bit_s, false};
    terms.commit_bit_s = bit_s;
    terms.price = bit_s;
    loop.engine.set_terms(NexthopId{1}, terms);
    loop.run(90);
    CHECK(loop.weight(0, 0) + loop.weight(0, 1) == Approx(1));
    CHECK(loop.weight(0, 0) > 0.005);
    for (const Decision& d : loop.decisions)
      for (const PathShare& p : d.paths) REQUIRE(std::isfinite(p.cost));
    // What can carry nothing is left to its floor.
    if (bit_s == 0) CHECK(loop.weight(0, 0) < 0.1);
  }
}

TEST_CASE("contradictory objectives are told once, and do not storm", "[engine][bad]") {
  for (const Unmet unmet : {Unmet::best, Unmet::routing}) {
    Room room(3);
    GroupTerms terms;
    terms.objectives = {Duration(1ns), 0.0, 1e15, unmet};
    room.engine.set_terms(kGroup, terms);
    room.run(300);
    INFO(room.decisions.size());
    CHECK(room.count(Reason::objective_unmet) >= 1);
    CHECK(room.decisions.size() <= 3);
    for (std::uint32_t n = 1; n <= 3; ++n) CHECK(room.weight(n) == Approx(1 / 3.0));
  }
  for (const double bad : {kNaN, -1.0, kInfinite}) {  // no objective at all
    Room room(2);
    GroupTerms terms;
    terms.objectives = {-Duration(1s), bad == kInfinite ? -1 : bad, -bad, Unmet::best};
    if (bad == kInfinite) terms.objectives.min_bandwidth_bit_s = kNaN;
    room.engine.set_terms(kGroup, terms);
    room.run(60);
    CHECK(room.decisions.size() == 1);
  }
}

TEST_CASE("a policy of no numbers is the default's, term by term", "[engine][bad]") {
  for (const double bad : {kNaN, -1.0, -kInfinite, kInfinite}) {
    INFO(bad);
    Room usual(2), room(2);
    GroupTerms terms;
    usual.engine.set_terms(kGroup, terms);
    for (double Policy::*figure :
         {&Policy::delay_weight, &Policy::queue_weight, &Policy::loss_weight,
          &Policy::jitter_weight, &Policy::load_weight, &Policy::loss_limit, &Policy::price_limit})
      terms.policy.*figure = bad;
    room.engine.set_terms(kGroup, terms);
    for (Room* r : {&usual, &room}) {
      r->rtt_ms[0] = 60;
      r->run(120);
    }
    REQUIRE(room.decisions.size() == usual.decisions.size());
    CHECK(room.weight(1) == usual.weight(1));
    CHECK(room.weight(1) < 0.2);
  }
}

TEST_CASE("a policy whose limits are crossed or zero breaks no promise", "[engine][bad]") {
  for (const Duration limit : {Duration::zero(), Duration::min(), Duration::max(), -Duration(1s)}) {
    Room room(2);
    GroupTerms terms;
    terms.policy.delay_floor = terms.policy.delay_limit = limit;
    terms.policy.queue_limit = terms.policy.jitter_limit = limit;
    terms.preferences = {{NexthopId{1}, limit}, {NexthopId{9}, Duration::max()}};
    room.engine.set_terms(kGroup, terms);
    room.rtt_ms[0] = 60;
    room.run(60);
  }
}

TEST_CASE("groups of none, one and sixteen equal paths rest", "[engine][bad]") {
  for (const std::uint32_t n : {0u, 1u, 16u}) {
    INFO(n);
    Room room(n);
    room.run(120);
    CHECK(room.decisions.size() == 1);
    for (std::uint32_t i = 1; i <= n; ++i) CHECK(room.weight(i) == Approx(1.0 / n));
  }
}

TEST_CASE("huge weights of routing are shares like any other", "[engine][bad]") {
  Engine engine{Options{}};
  Group group{kGroup, {}};
  const std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  group.paths = {{PathId{1}, NexthopId{1}, most},
                 {PathId{2}, NexthopId{2}, most},
                 {PathId{3}, NexthopId{3}, 1},
                 {PathId{4}, NexthopId{4}, 0}};
  engine.set_group(group, at(0), std::vector<std::uint32_t>{most, most, most, most});
  engine.decide(at(0));
  double sum = 0;
  for (const PathView& p : engine.group(kGroup)) {
    CHECK(p.weight >= 0);
    sum += p.weight;
  }
  CHECK(sum == Approx(1));
}

TEST_CASE("a nexthop that left is forgotten in a group's memory, and a memory's is ignored",
          "[engine][bad]") {
  Room room(3);
  room.run(30);
  const GroupMemory memory = *room.engine.memory(kGroup, room.now);
  Engine next{Options{}};
  Group group{kGroup, {room.group.paths[0], room.group.paths[1]}};
  next.set_group(group, at(0));
  GroupMemory absurd = memory;
  absurd.shares.push_back({NexthopId{99}, 0.5});
  absurd.shares.push_back({NexthopId{1}, kNaN});
  absurd.shares.push_back({NexthopId{2}, -3});
  absurd.reverted_for = Duration::max();
  absurd.reverts = std::numeric_limits<std::uint32_t>::max();
  absurd.since_revert = Duration::min();
  next.recall(kGroup, absurd, at(0));
  NexthopMemory nexthop;
  nexthop.bases = {{anchor_address(1), kNaN, 1s},
                   {anchor_address(1), -1, 1s},
                   {anchor_address(1), 10, Duration::min()}};
  nexthop.learnt_bit_s = kNaN;
  nexthop.penalty = kInfinite;
  nexthop.penalty_age = Duration::min();
  nexthop.commit_slots.assign(100'000, std::numeric_limits<float>::quiet_NaN());
  nexthop.commit_age = Duration::min();
  next.recall(NexthopId{1}, nexthop, at(0));
  next.decide(at(0.1));
  const auto paths = next.group(kGroup);
  REQUIRE(paths.size() == 2);
  CHECK(paths[0].weight + paths[1].weight == Approx(1));
  CHECK(paths[0].weight == Approx(0.5));
  CHECK(std::isfinite(next.nexthop(NexthopId{1})->penalty));
  next.remove_nexthop(NexthopId{3});  // of which it never knew
  group.paths.pop_back();
  next.set_group(group, at(0.2));
  next.remove_nexthop(NexthopId{2});
  next.decide(at(0.3));
  CHECK(next.group(kGroup).at(0).weight == Approx(1));
  CHECK(next.memory(kGroup, at(0.3))->shares.size() == 1);
  CHECK_FALSE(next.memory(NexthopId{2}, at(0.3)).has_value());
}
