#include "test/unit/engine/noise.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise::engine;

namespace {

struct Times {
  std::vector<double> verdicts;
  std::vector<double> shifts;
  int others = 0;
};

constexpr std::uint32_t kTrials = 40;

Times play(const NoisePlan& plan, const Fault& fault, double within) {
  Times times;
  for (std::uint32_t seed = 1; seed <= kTrials; ++seed) {
    const Detection d = detect(plan, fault, within, seed);
    if (d.verdict) times.verdicts.push_back(*d.verdict);
    if (d.shift) times.shifts.push_back(*d.shift);
    times.others += d.others_fell;
  }
  std::sort(times.verdicts.begin(), times.verdicts.end());
  return times;
}

}  // namespace

TEST_CASE("half an hour of noise makes no path fall", "[engine]") {
  for (const std::uint32_t anchors : {1U, 3U}) {
    for (const double pace : {20.0, 100.0}) {
      for (std::uint32_t seed = 1; seed <= 4; ++seed) {
        NoisePlan plan;
        plan.anchors = anchors;
        plan.suspicious_pace = pace;
        const NoiseReport report = play_noise(plan, 30, seed);
        INFO(anchors << " anchors, " << pace << " pps, seed " << seed);
        CHECK(report.probes > 30'000);
        CHECK(report.lost > 200);
        CHECK(report.falls == 0);
        CHECK(report.moves == 0);
        CHECK(report.suspicious < 0.05);
      }
    }
  }
}

TEST_CASE("faults show in the noise, each in its time", "[engine]") {
  struct {
    const char* what;
    Fault fault;
    double median;
  } const cases[] = {{"black hole", {1, 0, 0, 0}, 0.5}, {"30 % loss", {0.3, 0, 0, 0}, 2},
                     {"10 % loss", {0.1, 0, 0, 0}, 6},  {"+100 ms", {0, 100, 0, 0}, 0.6},
                     {"+30 ms", {0, 30, 0, 0}, 0.6},    {"one flow dead", {0, 0, 1, 0}, 2}};
  for (const auto& c : cases) {
    NoisePlan plan;
    plan.paths = 2;
    const Times times = play(plan, c.fault, 60);
    REQUIRE(times.verdicts.size() == kTrials);
    const double median = times.verdicts[kTrials / 2];
    std::printf("  %-14s median %.2f s, worst %.2f s of %u\n", c.what, median,
                times.verdicts.back(), kTrials);
    CHECK(median < c.median);
    CHECK(times.others == 0);
  }
}

TEST_CASE("little steps are told and degrade nothing; one slow flow of four is neither",
          "[engine]") {
  NoisePlan plan;
  plan.paths = 2;
  plan.flutter_ms = 0;
  const Times small = play(plan, {0, 5, 0, 0}, 20);
  CHECK(small.verdicts.empty());
  CHECK(small.shifts.size() == kTrials);
  const Times flow = play(plan, {0, 0, 0, 50}, 20);
  CHECK(flow.verdicts.empty());
  CHECK(flow.shifts.empty());
}
