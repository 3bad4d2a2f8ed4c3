#include "core/daemon/flow_growth.hpp"

#include <cmath>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{100h};
constexpr Duration kEvery = 10s;

/// A hash as good as the data plane's.
std::uint64_t hash_of(std::uint64_t n) {
  std::mt19937_64 random(n);
  return random();
}

FlowGrowth::Flow flow(std::uint64_t n, std::uint64_t bytes, TimePoint started, TimePoint seen) {
  return {hash_of(n), bytes, started, seen};
}

}  // namespace

TEST_CASE("a flow with a slot grows by exactly what came", "[destinations]") {
  FlowGrowth growth;
  const TimePoint began = kStart - 1h;
  growth.begin(kStart, kEvery);
  growth.grown(flow(1, 50'000'000, began, kStart));
  growth.begin(kStart + kEvery, kEvery);
  CHECK(growth.grown(flow(1, 50'700'000, began, kStart + kEvery)) == 700'000);
  growth.begin(kStart + 2 * kEvery, kEvery);
  CHECK(growth.grown(flow(1, 50'700'000, began, kStart + kEvery)) == 0);
  growth.begin(kStart + 3 * kEvery, kEvery);
  CHECK(growth.grown(flow(1, 50'700'001, began, kStart + 3 * kEvery)) == 1);
}

TEST_CASE("a flow that began since the last look has grown by all that it has", "[destinations]") {
  FlowGrowth growth;
  growth.begin(kStart, kEvery);
  CHECK(growth.grown(flow(1, 123, kStart - 4s, kStart)) == 123);
  CHECK(growth.grown(flow(2, 9'000'000, kStart - 10s, kStart)) == 9'000'000);
}

TEST_CASE("an old flow that is met for the first time has grown at its mean rate",
          "[destinations]") {
  FlowGrowth growth;
  growth.begin(kStart, kEvery);
  CHECK(growth.grown(flow(1, 1'000'000, kStart - 100s, kStart)) == Approx(100'000));
  CHECK(growth.grown(flow(2, 1'000'000, kStart - 100s, kStart - 20s)) == 0);
  CHECK(growth.grown(flow(3, 1'000'000, kStart + 1s, kStart)) == 1'000'000);  // read after now
}

TEST_CASE("what begins anew under the same name counts as new", "[destinations]") {
  FlowGrowth growth;
  growth.begin(kStart, kEvery);
  growth.grown(flow(1, 1'000'000, kStart - 100s, kStart));
  growth.begin(kStart + kEvery, kEvery);
  CHECK(growth.grown(flow(1, 20'000, kStart + 5s, kStart + kEvery)) == 20'000);
}

TEST_CASE("where slots are short the heavy flows keep them, and the others' sum stays near",
          "[destinations]") {
  FlowGrowth growth(8);  // 256 slots for 2,000 flows
  std::mt19937 random(7);
  std::uniform_real_distribution<double> pace(0.5, 1.5);
  struct Truth {
    double rate, bytes;
  };
  std::vector<Truth> flows;
  for (int i = 0; i < 2'000; ++i) {
    const double rate = i < 20 ? 1e6 : 5e3;
    flows.push_back({rate, rate * 200});
  }
  const TimePoint began = kStart - 200s;
  double heavy_error = 0, light_sum = 0, light_estimate = 0;
  for (int look = 0; look < 20; ++look) {
    const TimePoint now = kStart + look * kEvery;
    growth.begin(now, kEvery);
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const double came = flows[i].rate * pace(random) * 10;
      flows[i].bytes += came;
      const double grown =
          growth.grown(flow(i, static_cast<std::uint64_t>(flows[i].bytes), began, now));
      if (look < 2) continue;
      if (i < 20) heavy_error = std::max(heavy_error, std::abs(grown - came));
      if (i >= 20) light_sum += came, light_estimate += grown;
    }
  }
  CHECK(heavy_error <= 1);  // bytes: of rounding
  CHECK(light_estimate == Approx(light_sum).epsilon(0.1));
}

TEST_CASE("its memory is fixed", "[destinations]") {
  FlowGrowth growth;
  const std::size_t before = growth.bytes();
  CHECK(before == std::size_t{1} << 20);
  growth.begin(kStart, kEvery);
  for (std::uint64_t i = 0; i < 300'000; ++i) growth.grown(flow(i, 20'000, kStart - 1h, kStart));
  CHECK(growth.bytes() == before);
}
