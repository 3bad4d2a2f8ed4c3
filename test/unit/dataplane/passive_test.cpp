// Arithmetic of round-trip times: the buckets that programs and daemon share, and what quantiles
// read off them are worth.
#include "core/dataplane/passive.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "bpf/rtt.h"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::dataplane;
using namespace std::chrono_literals;

namespace {

// The same bucket by floating point: 16 to an octave.
std::uint32_t reference_bucket(std::uint32_t us) {
  if (us < 16) return us;
  const double octave = std::floor(std::log2(static_cast<double>(us)));
  if (octave > 23) return HW_RTT_BUCKETS - 1;
  const double within = us / std::exp2(octave) - 1;
  return static_cast<std::uint32_t>((octave - 3) * 16 + std::floor(within * 16));
}

void put(RttHistogram& histogram, std::uint32_t us) {
  histogram.sum_us += us;
  ++histogram.samples[HW_RTT_TIMESTAMP];
  ++histogram.bucket[hw_rtt_bucket(us)];
}

// Nearest rank.
std::uint32_t exact(const std::vector<std::uint32_t>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted.at(std::max<std::size_t>(rank, 1) - 1);
}

}  // namespace

TEST_CASE("every time falls into the bucket whose bounds it lies in", "[passive]") {
  std::vector<std::uint32_t> times;
  for (std::uint32_t us = 0; us < 70000; ++us) times.push_back(us);
  for (std::uint32_t bucket = 0; bucket < HW_RTT_BUCKETS; ++bucket)
    for (const std::uint32_t near : {0U, 1U})
      if (hw_rtt_lower(bucket) >= near) times.push_back(hw_rtt_lower(bucket) - near);
  for (const std::uint32_t us : times) {
    INFO(us << " us");
    const std::uint32_t bucket = hw_rtt_bucket(us);
    REQUIRE(bucket == reference_bucket(us));
    REQUIRE(hw_rtt_lower(bucket) <= us);
    REQUIRE(us < hw_rtt_lower(bucket + 1));
  }
  for (const std::uint32_t us : {(1U << 24) - 1, 1U << 24, 0xffffffffU})
    CHECK(hw_rtt_bucket(us) == HW_RTT_BUCKETS - 1);
}

TEST_CASE("logarithms to the base 2 are exact", "[passive]") {
  for (std::uint32_t bit = 0; bit < 32; ++bit)
    for (const std::uint32_t low : {0U, 1U, (1U << bit) - 1}) {
      const std::uint32_t value = 1U << bit | (low & ((1U << bit) - 1));
      CHECK(hw_log2(value) == static_cast<std::uint32_t>(std::bit_width(value) - 1));
    }
}

TEST_CASE("quantiles are within 1/32 of the samples' own", "[passive]") {
  std::mt19937 random(20261122);
  const std::vector<std::function<double()>> distributions = {
      [&] { return std::lognormal_distribution<>(10, 1.5)(random); },
      [&] { return std::exponential_distribution<>(1.0 / 30000)(random); },
      [&] { return std::uniform_real_distribution<>(0, 200)(random); },
      [&] { return std::uniform_real_distribution<>(1e3, 1.6e7)(random); },
      [&] { return std::normal_distribution<>(20000, 30)(random); },
      [&] { return random() % 10 == 0 ? 250000.0 : 15999.0; },
      [&] { return 32768.0; },
      [&] { return 32767.0; },
  };
  double worst = 0;
  for (std::size_t d = 0; d < distributions.size(); ++d)
    for (const std::size_t n : {1U, 2U, 10U, 1000U, 50000U}) {
      RttHistogram histogram;
      std::vector<std::uint32_t> times;
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const auto us = static_cast<std::uint32_t>(std::clamp(distributions[d](), 0.0, 1.6e7));
        times.push_back(us);
        sum += us;
        put(histogram, us);
      }
      std::sort(times.begin(), times.end());
      const PassiveRtt rtt = summarise(histogram, {});
      INFO("distribution " << d << ", " << n << " samples");
      REQUIRE(rtt.samples == n);
      CHECK(std::abs(seconds(rtt.mean) * 1e6 - sum / static_cast<double>(n)) < 0.002);
      for (const auto& [share, found] : {std::pair{0.1, rtt.p10}, std::pair{0.5, rtt.p50},
                                         std::pair{0.9, rtt.p90}, std::pair{0.99, rtt.p99}}) {
        const double truth = exact(times, share);
        const double error = std::abs(seconds(found) * 1e6 - truth);
        INFO("quantile " << share << ": " << seconds(found) * 1e6 << " us, is " << truth);
        CHECK(error <= truth / 32);
        if (truth > 0) worst = std::max(worst, error / truth);
      }
    }
  CHECK(worst > 0.01);  // the bound is not met by chance
}

TEST_CASE("a reading is what came since the last, also when counters wrap", "[passive]") {
  RttHistogram before;
  before.sum_us = 0xffffffffffffff00;
  before.samples[HW_RTT_SEQUENCE] = 0xfffffffe;
  before.bucket[40] = 0xfffffffe;
  before.bucket[41] = 7;
  hw_rtt cpu{};
  cpu.sum_us = 0x200;
  cpu.samples[HW_RTT_SEQUENCE] = 4;
  cpu.bucket[40] = 3;
  cpu.bucket[41] = 1;
  RttHistogram after = before;
  after.add(cpu);
  const RttHistogram added = after.since(before);
  CHECK(added.sum_us == 0x200);
  CHECK(added.count() == 4);
  CHECK(added.samples[HW_RTT_SEQUENCE] == 4);
  CHECK(added.bucket[40] == 3);
}

TEST_CASE("weak samples are told, but make no times", "[passive]") {
  RttHistogram weak;
  weak.samples[HW_RTT_SPIN] = 3;
  weak.bucket[100] = 3;
  const PassiveRtt rtt = summarise({}, weak);
  CHECK(rtt.samples == 0);
  CHECK(rtt.by_method[static_cast<std::size_t>(PassiveMethod::spin)] == 3);
  CHECK(rtt.p50 == 0s);
}

TEST_CASE("a smoothed time follows RFC 6298", "[passive]") {
  hw_seen seen{};
  CHECK(hw_rto_ns(&seen) == 1'000'000'000);
  hw_rtt_smooth(&seen, 100'000);
  CHECK(seen.rtt_us == 100'000);
  CHECK(seen.rtt_deviation_us == 50'000);
  CHECK(hw_rto_ns(&seen) == 300'000'000);
  double rtt = 100'000, deviation = 50'000;
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    const auto us = static_cast<std::uint32_t>(50'000 + random() % 100'000);
    deviation = 0.75 * deviation + 0.25 * std::abs(rtt - us);
    rtt = 0.875 * rtt + 0.125 * us;
    hw_rtt_smooth(&seen, us);
    REQUIRE(std::abs(seen.rtt_us - rtt) < 20);
    REQUIRE(std::abs(seen.rtt_deviation_us - deviation) < 20);
  }
  hw_rtt_smooth(&seen, 0);
  hw_seen fast{};
  hw_rtt_smooth(&fast, 0);
  CHECK(fast.rtt_us == 1);  // known, if only just
}
