// Against an exact count: streams of a few heavy prefixes in a crowd, from fixed seeds.
#include "core/daemon/top_prefixes.hpp"

#include <cmath>
#include <map>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;

namespace {

Prefix prefix(std::uint32_t n) {
  const std::uint8_t bytes[4] = {10, std::uint8_t(n >> 16), std::uint8_t(n >> 8), std::uint8_t(n)};
  return Prefix::covering(IpAddress::from_bytes(Family::v4, bytes), 32);
}

struct Stream {
  std::size_t counters;
  std::uint32_t prefixes;
  double skew;    // of Zipf's law; 0: all alike
  double ageing;  // every 5,000 updates; 1: none
};

struct Counted {
  TopPrefixes sketch;
  std::map<Prefix, double> exact;
  double total = 0;
};

Counted count(const Stream& stream, unsigned seed) {
  Counted counted{TopPrefixes(stream.counters), {}, 0};
  std::mt19937 random(seed);
  std::vector<double> weights;
  for (std::uint32_t i = 0; i < stream.prefixes; ++i)
    weights.push_back(std::pow(i + 1.0, -stream.skew));
  std::discrete_distribution<std::uint32_t> which(weights.begin(), weights.end());
  std::uniform_int_distribution<int> bytes(40, 1500);
  for (int i = 1; i <= 50'000; ++i) {
    const Prefix to = prefix(which(random));
    const double much = bytes(random);
    counted.sketch.add(to, much);
    counted.exact[to] += much;
    counted.total += much;
    if (i % 5'000 != 0) continue;
    counted.sketch.age(stream.ageing);
    counted.total *= stream.ageing;
    for (auto& [known, sum] : counted.exact) sum *= stream.ageing;
  }
  return counted;
}

constexpr Stream kStreams[] = {{64, 5'000, 1.2, 1},
                               {64, 5'000, 0, 1},
                               {256, 300, 0.8, 0.7},
                               {16, 5'000, 1, 0.5},
                               {1, 9, 1, 0.9}};

}  // namespace

TEST_CASE("a counter never says too little, and too much by its error at most", "[destinations]") {
  for (unsigned seed = 1; seed <= 5; ++seed)
    for (const Stream& stream : kStreams) {
      const Counted counted = count(stream, seed);
      const double slack = 1e-9 * counted.total;
      double sum = 0;
      for (const auto& counter : counted.sketch.top(stream.counters)) {
        const double exact = counted.exact.at(counter.prefix);
        CHECK(counter.bytes >= exact - slack);
        CHECK(counter.surely() <= exact + slack);
        CHECK(counter.error <= counted.total / static_cast<double>(stream.counters) + slack);
        sum += counter.bytes;
      }
      CHECK(sum == Approx(counted.sketch.total()));
      CHECK(counted.total == Approx(counted.sketch.total()));
      CHECK(counted.sketch.size() <= stream.counters);
    }
}

TEST_CASE("a prefix above total / k always has a counter", "[destinations]") {
  std::size_t heavy = 0;
  for (unsigned seed = 1; seed <= 5; ++seed)
    for (const Stream& stream : kStreams) {
      const Counted counted = count(stream, seed);
      std::map<Prefix, double> found;
      for (const auto& counter : counted.sketch.top(stream.counters))
        found[counter.prefix] = counter.bytes;
      for (const auto& [to, bytes] : counted.exact) {
        if (bytes <= counted.total / static_cast<double>(stream.counters)) continue;
        ++heavy;
        CHECK(found.contains(to));
      }
    }
  CHECK(heavy > 100);  // else nothing was tried
}

TEST_CASE("while there is a counter for each, all is exact", "[destinations]") {
  TopPrefixes sketch(4);
  sketch.add(prefix(1), 100);
  sketch.add(prefix(2), 300);
  sketch.add(prefix(1), 50);
  sketch.add(prefix(3), 0);
  sketch.add(prefix(3), -5);
  sketch.add(prefix(3), std::nan(""));
  REQUIRE(sketch.size() == 2);
  const auto top = sketch.top(9);
  CHECK(top[0].prefix == prefix(2));
  CHECK(top[1].bytes == 150);
  CHECK(top[1].error == 0);
  CHECK(sketch.untracked_share() == 0);
  CHECK(sketch.top(1).size() == 1);
}

TEST_CASE("what is old weighs less than what is new", "[destinations]") {
  TopPrefixes sketch(8);
  sketch.add(prefix(1), 1000);
  for (int look = 0; look < 5; ++look) {
    sketch.age(0.5);
    sketch.add(prefix(2), 100);
  }
  CHECK(sketch.top(1)[0].prefix == prefix(2));
  CHECK(sketch.total() == Approx(1000.0 / 32 + 100 * (2 - 1.0 / 16)));
}

TEST_CASE("of a crowd of equals it is told that nobody knows whose the bytes are",
          "[destinations]") {
  const Counted crowd = count({16, 5'000, 0, 1}, 1);
  CHECK(crowd.sketch.untracked_share() > 0.9);
  const Counted few = count({64, 50, 0, 1}, 1);
  CHECK(few.sketch.untracked_share() == 0);
}
