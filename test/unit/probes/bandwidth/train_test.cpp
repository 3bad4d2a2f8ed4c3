#include "probes/bandwidth/train.hpp"

#include <algorithm>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kBytes = 1400;

// As a link of `bit_s` draws it apart, from any moment on.
Train drawn_apart(double bit_s, std::uint32_t packets = 32) {
  Train train{packets, kBytes, {}};
  const double gap_ns = kBytes * 8 / bit_s * 1e9;
  for (std::uint32_t i = 0; i < packets; ++i)
    train.arrivals.push_back({i, 77s + Duration(static_cast<Duration::rep>(i * gap_ns))});
  return train;
}

Approx near(double bit_s, double share) {
  return Approx(bit_s).epsilon(share);
}

}  // namespace

TEST_CASE("a train shows the rate of the link that drew it apart", "[bandwidth][train]") {
  const double rate = GENERATE(1e6, 2e7, 1e8, 9e8);
  const Dispersion told = dispersion_of(drawn_apart(rate));
  CHECK(told.fault == TrainFault::none);
  CHECK(told.bit_s == near(rate, 0.001));
  CHECK(told.lost == 0);
  CHECK(told.batches == 32);
}

TEST_CASE("coalesced interrupts do not make the link faster", "[bandwidth][train]") {
  // What came is read every eight packets, the stamps of a batch a microsecond apart.
  Train train = drawn_apart(1e8);
  for (std::uint32_t i = 0; i < 32; ++i) {
    const std::uint32_t last = i / 8 * 8 + 7;
    train.arrivals[i].at = 77s + Duration(last * 112'000 + i % 8 * 1000);
  }
  const Dispersion told = dispersion_of(train);
  CHECK(told.fault == TrainFault::none);
  CHECK(told.batches == 4);
  CHECK(told.bit_s == near(1e8, 0.02));
}

TEST_CASE("losses show less than there is, never more", "[bandwidth][train]") {
  Train train = drawn_apart(1e8);
  std::erase_if(train.arrivals, [](const TrainArrival& a) { return a.index % 8 == 3; });
  const Dispersion told = dispersion_of(train);
  CHECK(told.fault == TrainFault::none);
  CHECK(told.lost == 4);
  CHECK(told.bit_s < 1e8);
  CHECK(told.bit_s > 0.8e8);
}

TEST_CASE("a train without a shape tells nothing", "[bandwidth][train]") {
  Train train = drawn_apart(1e8);
  SECTION("half of it lost") {
    std::erase_if(train.arrivals, [](const TrainArrival& a) { return a.index % 2 == 0; });
    CHECK(dispersion_of(train).fault == TrainFault::lost);
  }
  SECTION("nothing came") {
    train.arrivals.clear();
    CHECK(dispersion_of(train).fault == TrainFault::lost);
  }
  SECTION("no packet was sent") {
    CHECK(dispersion_of({}).fault == TrainFault::lost);
  }
  SECTION("by two ways") {
    for (std::uint32_t i = 0; i < 31; i += 2)
      std::swap(train.arrivals[i].index, train.arrivals[i + 1].index);
    CHECK(dispersion_of(train).fault == TrainFault::reordered);
  }
  SECTION("all stamped at once") {
    for (TrainArrival& arrival : train.arrivals) arrival.at = 77s;
    CHECK(dispersion_of(train).fault == TrainFault::undispersed);
  }
}

TEST_CASE("arrivals may be told in any order", "[bandwidth][train]") {
  Train train = drawn_apart(1e8);
  std::shuffle(train.arrivals.begin(), train.arrivals.end(), std::minstd_rand(1));
  CHECK(dispersion_of(train).bit_s == near(1e8, 0.001));
}

TEST_CASE("more than a gigabit is told as one", "[bandwidth][train]") {
  CHECK(dispersion_of(drawn_apart(9e9)).bit_s == kMostTold_bit_s);
}

TEST_CASE("one train in nine that was pressed together changes little", "[bandwidth][train]") {
  TrainEstimate estimate;
  std::minstd_rand chance(7);
  for (int i = 0; i < 9; ++i) {
    CHECK(estimate.bandwidth().has_value() == (i >= 3));
    Train train = drawn_apart(i == 4 ? 8e8 : 1e8);
    for (TrainArrival& arrival : train.arrivals) arrival.at += Duration(chance() % 20'000);
    estimate.observe(dispersion_of(train), TimePoint{Duration(i)});
  }
  const auto told = estimate.bandwidth();
  REQUIRE(told);
  CHECK(told->method == BandwidthMethod::train);
  CHECK_FALSE(told->exact());
  CHECK(static_cast<double>(told->bit_s) == near(1e8, 0.02));
  CHECK(told->at == TimePoint{8ns});
  estimate.observe({.fault = TrainFault::lost}, TimePoint{9ns});
  CHECK(estimate.fruitless() == 1);
  CHECK(estimate.bandwidth()->at == TimePoint{8ns});
}
