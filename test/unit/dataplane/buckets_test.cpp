#include "core/dataplane/buckets.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "bpf/hash.h"
#include "test/catch.hpp"

using namespace hopwise::dataplane;

namespace {

using Counts = std::vector<std::uint32_t>;

constexpr std::uint32_t kBuckets = 1024;

Counts count_owners(const Counts& owner, std::size_t paths) {
  Counts counts(paths);
  for (const std::uint32_t i : owner)
    if (i < paths) ++counts[i];
  return counts;
}

Counts apply(Counts owner, const MovePlan& plan) {
  for (const BucketMove& move : plan.moves) owner.at(move.bucket) = move.to;
  return owner;
}

std::uint32_t positive_difference(const Counts& from, const Counts& to) {
  std::uint32_t moves = 0;
  for (std::size_t i = 0; i < from.size(); ++i) moves += to[i] > from[i] ? to[i] - from[i] : 0;
  return moves;
}

std::vector<double> random_weights(std::mt19937& random) {
  std::vector<double> weights(1 + random() % 16);
  for (double& w : weights)
    w = random() % 5 == 0 ? 0 : std::uniform_real_distribution<>(0.02, 1)(random);
  return weights;
}

std::vector<Leave> gently(std::size_t paths) {
  return std::vector<Leave>(paths, Leave::gently);
}

}  // namespace

TEST_CASE("counts add up, and each is within one of its exact share", "[dataplane]") {
  std::mt19937 random(1);
  for (int run = 0; run < 2000; ++run) {
    const auto weights = random_weights(random);
    const Counts counts = apportion(weights, kBuckets);
    REQUIRE(std::accumulate(counts.begin(), counts.end(), 0U) == kBuckets);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double exact =
          sum > 0 ? weights[i] / sum * kBuckets : kBuckets / static_cast<double>(weights.size());
      REQUIRE(std::abs(counts[i] - exact) < 1);
    }
  }
}

TEST_CASE("equal remainders go to the earlier path, and no weight at all means equal ones",
          "[dataplane]") {
  CHECK(apportion(std::vector<double>{1, 1, 1}, 1024) == Counts{342, 341, 341});
  CHECK(apportion(std::vector<double>{0, 0}, 1024) == Counts{512, 512});
  CHECK(apportion(std::vector<double>{}, 1024).empty());
  CHECK(apportion(std::vector<double>{0.7, 0.3}, 10) == Counts{7, 3});
}

TEST_CASE("a positive weight gets a bucket where there are enough", "[dataplane]") {
  CHECK(apportion(std::vector<double>{1, 1e-9, 1e-9}, 1024) == Counts{1022, 1, 1});
  CHECK(apportion(std::vector<double>{1, 0, 1e-9}, 1024) == Counts{1023, 0, 1});
  const Counts scarce = apportion(std::vector<double>{1, 1, 1}, 2);
  CHECK(std::accumulate(scarce.begin(), scarce.end(), 0U) == 2);
}

TEST_CASE("a table is shared out exactly, and in every part of it alike", "[dataplane]") {
  std::mt19937 random(2);
  for (int run = 0; run < 300; ++run) {
    const Counts counts = apportion(random_weights(random), kBuckets);
    Counts names(counts.size());
    for (auto& name : names) name = static_cast<std::uint32_t>(1 + random() % 4095);
    const Counts owner = share_out(counts, names);
    REQUIRE(count_owners(owner, counts.size()) == counts);
  }
  const Counts even = share_out(Counts{512, 512}, Counts{1, 2});
  const auto first = std::count(even.begin(), even.begin() + 512, 0U);
  CHECK(first > 206);  // 256 +- 4.4 standard deviations of 512 throws
  CHECK(first < 306);
}

TEST_CASE("a nexthop that goes takes its own buckets along and few others", "[dataplane]") {
  const Counts three = share_out(Counts{342, 341, 341}, Counts{11, 22, 33});
  const Counts two = share_out(Counts{512, 512}, Counts{11, 22});
  std::uint32_t moved = 0;
  for (std::uint32_t i = 0; i < kBuckets; ++i) moved += three[i] != 2 && three[i] != two[i];
  CHECK(moved < 60);  // of the 683 that could stay
}

TEST_CASE("a plan reaches the target with the fewest moves", "[dataplane]") {
  std::mt19937 random(3);
  for (int run = 0; run < 1000; ++run) {
    const Counts target = apportion(random_weights(random), kBuckets);
    const std::size_t paths = target.size();
    Counts owner(kBuckets), idle(kBuckets, 1000);
    for (auto& o : owner) o = static_cast<std::uint32_t>(random() % paths);
    const MovePlan plan = plan_moves({owner, idle}, target, gently(paths), {500, 0});
    REQUIRE(plan.deferred == 0);
    REQUIRE(plan.moves.size() == positive_difference(count_owners(owner, paths), target));
    REQUIRE(count_owners(apply(owner, plan), paths) == target);
    REQUIRE(plan_moves({apply(owner, plan), idle}, target, gently(paths), {500, 0}).moves.empty());
  }
}

TEST_CASE("the longest idle buckets move first", "[dataplane]") {
  Counts owner(8, 0), idle{9, 80, 7, 60, 5, 40, 3, 20};
  const MovePlan plan = plan_moves({owner, idle}, Counts{4, 4}, gently(2), {10, 8});
  Counts moved;
  for (const BucketMove& move : plan.moves) moved.push_back(move.bucket);
  CHECK(moved == Counts{1, 3, 5, 7});
}

TEST_CASE("busy buckets move no faster than allowed, and all of them in the end", "[dataplane]") {
  std::mt19937 random(4);
  for (int run = 0; run < 300; ++run) {
    const Counts target = apportion(random_weights(random), kBuckets);
    const std::size_t paths = target.size();
    Counts owner(kBuckets), idle(kBuckets);
    for (std::size_t i = 0; i < kBuckets; ++i) {
      owner[i] = static_cast<std::uint32_t>(random() % paths);
      idle[i] = random() % 2 == 0 ? 10 : 1000;
    }
    const std::uint32_t needed = positive_difference(count_owners(owner, paths), target);
    std::uint32_t done = 0;
    for (int call = 0;; ++call) {
      REQUIRE(call < 100);
      const MovePlan plan = plan_moves({owner, idle}, target, gently(paths), {500, 64});
      const auto busy = std::count_if(plan.moves.begin(), plan.moves.end(),
                                      [&](const auto& m) { return idle[m.bucket] < 500; });
      REQUIRE(busy <= 64);
      done += static_cast<std::uint32_t>(plan.moves.size());
      REQUIRE(done + plan.deferred == needed);
      owner = apply(owner, plan);
      if (plan.deferred == 0) break;
    }
    REQUIRE(count_owners(owner, paths) == target);
  }
}

TEST_CASE("a bad path's busiest buckets leave it at once, and idle ones stay behind",
          "[dataplane]") {
  Counts owner(8, 0), idle{0, 8000, 1, 6000, 2, 4000, 3, 2000};
  const MovePlan plan =
      plan_moves({owner, idle}, Counts{3, 5}, std::vector{Leave::fast, Leave::gently}, {500, 0});
  CHECK(plan.deferred == 0);
  Counts moved;
  for (const BucketMove& move : plan.moves) moved.push_back(move.bucket);
  CHECK(moved == Counts{0, 2, 4, 6, 7});
}

TEST_CASE("a dead path's buckets and nobody's move at once, however busy", "[dataplane]") {
  const Counts owner{0, 0, 0, 0, 1, 1, 7, 7}, idle(8, 0);
  const MovePlan plan =
      plan_moves({owner, idle}, Counts{0, 4, 4},
                 std::vector{Leave::wholly, Leave::gently, Leave::gently}, {500, 0});
  CHECK(plan.deferred == 0);
  CHECK(count_owners(apply(owner, plan), 3) == Counts{0, 4, 4});
}

TEST_CASE("the flow hash spreads a million similar flows evenly over the buckets", "[dataplane]") {
  std::vector<std::uint32_t> flows(HW_BUCKETS);
  hw_flow_key key{};
  key.family = 4;
  key.protocol = 6;
  key.destination_port = 443;
  constexpr std::uint32_t kFlows = 1U << 20;
  for (std::uint32_t n = 0; n < kFlows; ++n) {
    key.source[3] = static_cast<__u8>(n);
    key.source[2] = static_cast<__u8>(n >> 8);
    key.source_port = static_cast<__u16>(n >> 16);
    ++flows[hw_flow_hash(&key, 0x9747b28c) & (HW_BUCKETS - 1)];
  }
  const double expected = static_cast<double>(kFlows) / HW_BUCKETS;
  double chi_square = 0;
  for (const std::uint32_t n : flows) chi_square += (n - expected) * (n - expected) / expected;
  // 1023 degrees of freedom: mean 1023, deviation 45; five deviations each way.
  CHECK(chi_square > 797);
  CHECK(chi_square < 1250);
}

TEST_CASE("flows that one router sends to one path spread evenly at the next", "[dataplane]") {
  const auto on_first_path = [](const hw_flow_key& key, std::uint32_t seed) {
    return (hw_flow_hash(&key, seed) & (HW_BUCKETS - 1)) < HW_BUCKETS / 2;
  };
  const std::vector<std::uint32_t> seeds{1, 2, 3, 0x80000000, 0x9747b28c, 0xffffffff};
  for (const std::uint32_t here : seeds)
    for (const std::uint32_t next : seeds) {
      if (here == next) continue;
      hw_flow_key key{};
      key.family = 4;
      key.protocol = 6;
      key.destination_port = 443;
      double flows = 0, first = 0;
      for (std::uint32_t n = 0; n < 1U << 16; ++n) {
        key.source[3] = static_cast<__u8>(n);
        key.source_port = static_cast<__u16>(n >> 8);
        if (!on_first_path(key, here)) continue;
        ++flows;
        if (on_first_path(key, next)) ++first;
      }
      INFO("seed " << here << ", then " << next << ": " << first << " of " << flows);
      // A fair coin's deviation is half the root of the throws; five deviations each way.
      CHECK(std::abs(first - flows / 2) < 5 * std::sqrt(flows) / 2);
    }
}
