#include "core/daemon/engine_readings.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000s};
const Group kGroup{GroupId{1}, {{PathId{1}, NexthopId{1}, 1}, {PathId{2}, NexthopId{2}, 1}}};

PathTraffic traffic(std::uint64_t bytes, std::uint64_t segments = 0,
                    std::uint64_t retransmitted = 0) {
  PathTraffic t;
  t.forward_bytes = bytes;
  t.segments = segments;
  t.retransmitted = retransmitted;
  return t;
}

TrafficCount count(TimePoint at, const PathTraffic& first, const PathTraffic& second) {
  TrafficCount c{at, {&kGroup}};
  c.paths = {{PathId{1}, first}, {PathId{2}, second}};
  return c;
}

}  // namespace

TEST_CASE("the engine hears what each path carried since, and how fast it was",
          "[engine_readings]") {
  EngineReadings readings;
  CHECK(readings.since_last(count(kStart, traffic(1000), traffic(5)), {}).paths.empty());
  PassiveRtt rtt;
  rtt.samples = 7;
  rtt.p50 = 20ms;
  auto second = count(kStart + 1010ms, traffic(3000, 20, 2), traffic(5));
  second.control[GroupId{1}] = traffic(100);
  const auto told = readings.since_last(second, {{{PathId{1}, rtt}}, {}});
  REQUIRE(told.paths.size() == 2);
  CHECK(told.paths[0].path == PathId{1});
  CHECK(told.paths[0].at == kStart + 1010ms);
  CHECK(told.paths[0].over == 1010ms);
  CHECK(told.paths[0].traffic.forward_bytes == 2000);
  CHECK(told.paths[0].traffic.segments == 20);
  CHECK(told.paths[0].traffic.retransmitted == 2);
  REQUIRE(told.paths[0].rtt);
  CHECK(told.paths[0].rtt->p50 == 20ms);
  CHECK(told.paths[1].traffic.forward_bytes == 0);  // told all the same
  CHECK_FALSE(told.paths[1].rtt);
  CHECK(told.control.empty());  // not there a second ago

  auto third = count(kStart + 2s, traffic(3000), traffic(5));
  third.paths[PathId{1}] = traffic(3000, 20, 2);
  third.control[GroupId{1}] = traffic(350);
  const auto next = readings.since_last(third, {{}, {{GroupId{1}, rtt}}});
  REQUIRE(next.control.size() == 1);
  CHECK(next.control[0].traffic.forward_bytes == 250);
  CHECK(next.control[0].rtt->samples == 7);
}

TEST_CASE("counters that run backwards begin anew", "[engine_readings]") {
  EngineReadings readings;
  readings.since_last(count(kStart, traffic(1000, 50), traffic(5)), {});
  const auto told = readings.since_last(count(kStart + 1s, traffic(2000, 3), traffic(6)), {});
  REQUIRE(told.paths.size() == 1);
  CHECK(told.paths[0].path == PathId{2});
  const auto next = readings.since_last(count(kStart + 2s, traffic(2500, 4), traffic(6)), {});
  REQUIRE(next.paths.size() == 2);
  CHECK(next.paths[0].traffic.forward_bytes == 500);
  CHECK(next.paths[0].traffic.segments == 1);
}

TEST_CASE("a path that left its group is another one when it comes back", "[engine_readings]") {
  EngineReadings readings;
  readings.since_last(count(kStart, traffic(1000), traffic(5)), {});
  auto gone = count(kStart + 1s, traffic(1000), traffic(5));
  const Group other{GroupId{2}, {}};
  gone.groups = {&other};
  CHECK(readings.since_last(gone, {}).paths.empty());
  CHECK(readings.since_last(count(kStart + 2s, traffic(9000), traffic(5)), {}).paths.empty());
}

TEST_CASE("two counts at once make one reading", "[engine_readings]") {
  EngineReadings readings;
  readings.since_last(count(kStart, traffic(1000), traffic(5)), {});
  CHECK(readings.since_last(count(kStart, traffic(2000), traffic(5)), {}).paths.empty());
  const auto told = readings.since_last(count(kStart + 1s, traffic(3000), traffic(5)), {});
  REQUIRE(told.paths.size() == 2);
  CHECK(told.paths[0].traffic.forward_bytes == 2000);
}

TEST_CASE("counters of several CPUs never tell more retransmissions than segments",
          "[engine_readings]") {
  EngineReadings readings;
  readings.since_last(count(kStart, traffic(0, 10, 0), traffic(0)), {});
  const auto told = readings.since_last(count(kStart + 1s, traffic(0, 11, 3), traffic(0)), {});
  CHECK(told.paths[0].traffic.retransmitted == 1);
}

TEST_CASE("of a nexthop's bandwidth the least exact and the largest bound count",
          "[engine_readings]") {
  engine::NexthopTerms word;
  word.commit_bit_s = 5e6;
  word.price = 2;
  const std::vector<Bandwidth> known{{BandwidthMethod::configured, 100},
                                     {BandwidthMethod::link, 1000},
                                     {BandwidthMethod::passive_peak, 40},
                                     {BandwidthMethod::train, 90}};
  const auto terms = nexthop_terms(known, word);
  CHECK(terms.capacity == engine::Capacity{100, true, BandwidthMethod::configured});
  CHECK(terms.at_least == engine::Capacity{90, false, BandwidthMethod::train});
  CHECK(*terms.commit_bit_s == 5e6);
  CHECK(terms.price == 2);
  const std::vector<Bandwidth> more{{BandwidthMethod::configured, 5000},
                                    {BandwidthMethod::link, 1000}};
  CHECK(nexthop_terms(more, {}).capacity->method == BandwidthMethod::link);
  CHECK_FALSE(nexthop_terms({}, {}).capacity);
}

TEST_CASE("the load of an interface with several neighbours is nobody's", "[engine_readings]") {
  std::map<NexthopId, NexthopRecord> nexthops;
  for (std::uint32_t id = 1; id <= 4; ++id) {
    nexthops[NexthopId{id}].nexthop.id = NexthopId{id};
    nexthops[NexthopId{id}].nexthop.key.ifindex = id < 3 ? 7 : id;
  }
  CHECK(shared_interfaces(nexthops) == std::set<std::uint32_t>{7});
  nexthops[NexthopId{1}].gateway_address = EthernetAddress{2, 0, 0, 0, 0, 1};
  CHECK(shared_interfaces(nexthops) == std::set<std::uint32_t>{7});
  // Both families of one router.
  nexthops[NexthopId{2}].gateway_address = EthernetAddress{2, 0, 0, 0, 0, 1};
  CHECK(shared_interfaces(nexthops).empty());
  nexthops[NexthopId{2}].gateway_address = EthernetAddress{2, 0, 0, 0, 0, 2};
  CHECK(shared_interfaces(nexthops) == std::set<std::uint32_t>{7});
}

TEST_CASE("flows that change from a group to another are not counted by both",
          "[engine_readings]") {
  const Group own{GroupId{2}, {{PathId{3}, NexthopId{1}, 1}, {PathId{4}, NexthopId{2}, 1}}, {1}};
  engine::Engine engine{engine::Options{}};
  engine.set_group(kGroup, kStart);
  engine.set_group(own, kStart);
  EngineReadings readings;
  constexpr std::uint64_t kEachSecond = 1'000'000;
  std::uint64_t before = 0, after = 0;
  for (int second = 0; second < 90; ++second) {
    const TimePoint at = kStart + second * 1s;
    (second < 60 ? before : after) += kEachSecond;  // then nobody uses `own` any more
    TrafficCount c{at, {&kGroup, &own}};
    c.paths = {{PathId{1}, traffic(after)},
               {PathId{2}, {}},
               {PathId{3}, traffic(before)},
               {PathId{4}, {}}};
    for (const PathReading& reading : readings.since_last(c, {}).paths) engine.observe(reading);
    engine.decide(at);
    if (second < 30) continue;
    const double sum = engine.law(GroupId{1})->paths[0].own_bit_s.value_or(0) +
                       engine.law(GroupId{2})->paths[0].own_bit_s.value_or(0);
    INFO(second);
    REQUIRE(sum == Approx(8.0 * kEachSecond).epsilon(0.05));
  }
}
