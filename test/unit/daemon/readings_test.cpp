#include "core/daemon/readings.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

PassiveRtt measured(std::uint64_t samples, Duration mean) {
  PassiveRtt rtt;
  rtt.samples = samples;
  rtt.mean = rtt.p50 = mean;
  rtt.by_method[0] = samples;
  return rtt;
}

const TimePoint kStart{1000s};

}  // namespace

TEST_CASE("the newest reading with samples is shown for a minute, totals for ever") {
  Readings readings;
  readings.add({{{PathId{1}, measured(10, 20ms)}}, {}}, kStart);
  readings.add({{{PathId{1}, measured(30, 40ms)}}, {}}, kStart + 1s);
  PassiveRtt weak;  // a spin bit alone
  weak.by_method[5] = 7;
  readings.add({{{PathId{1}, weak}}, {}}, kStart + 2s);

  const auto* reading = readings.path(PathId{1});
  REQUIRE(reading != nullptr);
  REQUIRE(reading->fresh(kStart + 60s));
  CHECK(reading->fresh(kStart + 60s)->p50 == 40ms);
  CHECK_FALSE(reading->fresh(kStart + 61s));
  CHECK(reading->total.samples == 40);
  CHECK(reading->total.sum == 10 * 20ms + 30 * 40ms);
  CHECK(reading->total.by_method[0] == 40);
  CHECK(reading->total.by_method[5] == 7);
  CHECK(readings.path(PathId{2}) == nullptr);
}

TEST_CASE("weak samples alone give no times") {
  Readings readings;
  PassiveRtt weak;
  weak.by_method[5] = 7;
  readings.add({{{PathId{1}, weak}}, {}}, kStart);
  CHECK_FALSE(readings.path(PathId{1})->fresh(kStart));
}

TEST_CASE("what was measured for a group that is gone is not another's") {
  Readings readings;
  readings.add({{{PathId{1}, measured(1, 1ms)}, {PathId{2}, measured(1, 1ms)}},
                {{GroupId{1}, measured(1, 1ms)}, {GroupId{2}, measured(1, 1ms)}}},
               kStart);
  const Group kept{GroupId{2}, {{PathId{2}, NexthopId{1}, 1}}};
  readings.keep({&kept});
  CHECK(readings.path(PathId{1}) == nullptr);
  CHECK(readings.path(PathId{2}) != nullptr);
  CHECK(readings.control(GroupId{1}) == nullptr);
  CHECK(readings.control(GroupId{2}) != nullptr);
}
