#include "core/daemon/sample_relay.hpp"

#include <thread>

#include "test/catch.hpp"

using namespace hopwise;

namespace {

std::vector<Sample> numbered(std::uint32_t from, std::uint32_t count) {
  std::vector<Sample> samples(count);
  for (std::uint32_t i = 0; i < count; ++i) samples[i].nexthop = NexthopId{from + i};
  return samples;
}

struct Control {
  boost::asio::io_context io{1};
  std::vector<std::uint32_t> seen;
  std::size_t deliveries = 0;
  SampleRelay relay{io, [this](std::span<const Sample> samples) {
                      CHECK(!samples.empty());
                      ++deliveries;
                      for (const Sample& sample : samples) seen.push_back(raw(sample.nexthop));
                    }};

  [[nodiscard]] bool in_order(std::uint32_t count) const {
    for (std::uint32_t i = 0; i < count; ++i)
      if (i >= seen.size() || seen[i] != i) return false;
    return seen.size() == count;
  }
};

}  // namespace

TEST_CASE("what comes while the control loop is busy is handed over at once, all in order") {
  Control control;
  for (std::uint32_t i = 0; i < 1000; i += 4) control.relay.add(numbered(i, 4));
  CHECK(control.deliveries == 0);
  CHECK(control.io.poll() == 1);  // one post for 250 batches
  CHECK(control.deliveries == 1);
  CHECK(control.in_order(1000));

  control.relay.add({});
  control.io.restart();
  CHECK(control.io.poll() == 0);
  control.relay.add(numbered(1000, 1));
  control.io.restart();
  CHECK(control.io.poll() == 1);
  CHECK(control.in_order(1001));
}

TEST_CASE("no sample is lost between two threads") {
  Control control;
  constexpr std::uint32_t kSamples = 100'000;
  auto work = boost::asio::make_work_guard(control.io);
  std::thread prober([&] {
    for (std::uint32_t i = 0; i < kSamples; i += 10) control.relay.add(numbered(i, 10));
    work.reset();
  });
  control.io.run();
  prober.join();
  CHECK(control.in_order(kSamples));
}
