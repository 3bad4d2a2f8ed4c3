#include "test/lab/report.hpp"

#include <algorithm>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::lab;

namespace {

constexpr double kDuration = 40;
constexpr double kFlowsPerSecond = 40;

/// A run of two upstreams whose flows begin in turn on "a" and "b", but only on b while `away`
/// says so. Each flow lives for 100 ms in one bin.
struct Story {
  RunRecord run;

  template <class Away>
  explicit Story(Away away) {
    run.upstreams = {"a", "b"};
    run.duration = kDuration;
    for (int i = 0; i < kDuration * kFlowsPerSecond; ++i) {
      const double at = i / kFlowsPerSecond;
      const auto upstream = static_cast<std::uint16_t>(away(at) ? 1 : i % 2);
      flow(at, at + 0.1, upstream);
    }
  }

  ShortFlow& flow(double begun, double ended, std::uint16_t upstream) {
    const auto id = flow_id(Family::v4, kShortPort, next_port++);
    send(id, begun, upstream);
    run.traffic.short_flows.push_back(
        {.id = id, .begun = begun, .connected = begun + 0.02, .ended = ended, .failure = {}});
    return run.traffic.short_flows.back();
  }

  void send(FlowId id, double at, std::uint16_t upstream) {
    run.slices.push_back({.bin = static_cast<std::uint32_t>(at / kBinSeconds + 1e-9),
                          .upstream = upstream,
                          .flow = id,
                          .packets = 1,
                          .bytes = 1000});
  }

  Report report() {
    std::ranges::stable_sort(run.slices, {}, &Slice::bin);
    std::ranges::stable_sort(run.traffic.short_flows, {}, &ShortFlow::begun);
    return evaluate(run);
  }

  std::uint16_t next_port = 1024;
};

EventDone brownout(double at) {
  return {.at = at, .upstream = 0, .what = "delay_ms=60"};
}

EventDone black_hole(double at) {
  return {.at = at, .upstream = 0, .what = "loss=1", .black_hole = true};
}

EventDone restore(double at) {
  return {.at = at, .upstream = 0, .what = "restore", .worsens = false};
}

bool passed(const Report& report, const std::string& part) {
  const auto found = std::ranges::find_if(report.checks, [&](const Check& check) {
    return check.name.find(part) != std::string::npos;
  });
  REQUIRE(found != report.checks.end());
  return found->passed;
}

}  // namespace

TEST_CASE("traffic has left a brownout when new flows avoid it for good") {
  Story story([](double at) { return at >= 13; });
  story.run.events = {brownout(12)};
  const auto report = story.report();
  REQUIRE(report.events[0].moved_s);
  CHECK(*report.events[0].moved_s == Approx(1).margin(0.15));
  CHECK(report.events[0].share_before == Approx(0.5).margin(0.05));
  CHECK(passed(report, "traffic leaves a"));
}

TEST_CASE("traffic that stays, or leaves too late, fails the run") {
  Story stays([](double) { return false; });
  stays.run.events = {brownout(12)};
  const auto report = stays.report();
  CHECK_FALSE(report.events[0].moved_s);
  CHECK_FALSE(passed(report, "traffic leaves a"));
  CHECK_FALSE(report.passed());

  Story late([](double at) { return at >= 16; });
  late.run.events = {brownout(12)};
  CHECK_FALSE(passed(late.report(), "traffic leaves a"));
}

TEST_CASE("traffic that goes back to a bad upstream for a while has not left before") {
  Story story([](double at) { return at >= 13 && (at < 20 || at >= 21); });
  story.run.events = {brownout(12)};
  const auto report = story.report();
  REQUIRE(report.events[0].moved_s);
  CHECK(*report.events[0].moved_s > 8);
}

TEST_CASE("one exploring flow in fifty is not traffic that stays") {
  int begun = 0;
  Story story([&](double at) { return at >= 13 && ++begun % 50 != 0; });
  story.run.events = {brownout(12)};
  const auto report = story.report();
  REQUIRE(report.events[0].moved_s);
  CHECK(*report.events[0].moved_s < 1.5);
}

TEST_CASE("a black hole is left with the last packets sent into it") {
  Story story([](double at) { return at >= 25.4; });
  story.run.events = {black_hole(25)};
  const auto report = story.report();
  REQUIRE(report.events[0].moved_s);
  CHECK(*report.events[0].moved_s == Approx(0.4).margin(0.11));
  CHECK(passed(report, "within 1 s"));
}

TEST_CASE(
    "new flows that still go into a black hole have not left it, however few packets they send") {
  Story story([](double) { return false; });
  story.run.events = {black_hole(25), restore(32)};
  const auto report = story.report();
  CHECK_FALSE(report.events[0].moved_s.has_value());
  CHECK_FALSE(passed(report, "within 1 s"));
}

TEST_CASE("a silent flow that still tries a black hole has not left it") {
  Story story([](double at) { return at >= 25; });
  // Without steering TCP tries ever less often: few packets, but none of them anywhere else.
  for (const double tries : {25.2, 25.6, 26.4, 28.0, 31.2})
    for (std::uint16_t i = 0; i < 4; ++i) story.send(flow_id(Family::v4, kLongPort, i), tries, 0);
  story.run.events = {black_hole(25)};
  const auto report = story.report();
  REQUIRE(report.events[0].moved_s);
  CHECK(*report.events[0].moved_s > 6);
  CHECK_FALSE(passed(report, "within 1 s"));
}

TEST_CASE("a flow caught in a black hole is lost only if it fails, and its delay is told") {
  Story story([](double at) { return at >= 25; });
  story.flow(24.9, 26.4, 0);
  story.run.events = {black_hole(25)};
  const auto report = story.report();
  CHECK(report.events[0].flows_lost == 0);
  CHECK(report.events[0].flows_caught >= 1);
  CHECK(report.events[0].caught_worst_s == Approx(1.5));
}

TEST_CASE("flows of the healthy upstream are told apart from those of the bad one") {
  Story story([](double at) { return at >= 25; });
  story.run.events = {black_hole(25)};
  story.flow(24.9, 34.9, 0).failure = "timeout";
  const auto on_bad = story.report();
  CHECK(on_bad.events[0].flows_lost == 1);
  CHECK(on_bad.events[0].flows_lost_elsewhere == 0);
  CHECK(passed(on_bad, "no flow of a healthy upstream"));

  story.flow(26, 27, 1).failure = "reset";
  const auto on_good = story.report();
  CHECK(on_good.events[0].flows_lost_elsewhere == 1);
  CHECK_FALSE(passed(on_good, "no flow of a healthy upstream"));
}

TEST_CASE("a flow lost before anything happened fails the run") {
  Story story([](double at) { return at >= 12.5; });
  story.run.events = {brownout(12)};
  story.flow(3, 4, 0).failure = "reset";
  CHECK_FALSE(passed(story.report(), "no flow of a healthy upstream"));
}

TEST_CASE("traffic is back when a quarter of the old share is, and flapping is counted in turns") {
  Story story([](double at) { return at >= 25 && at < 34; });
  story.run.events = {black_hole(25), restore(32)};
  const auto turn = [&](double at, double before, double after) {
    story.run.decisions.push_back({.at = at,
                                   .group = 1,
                                   .reason = "ramp",
                                   .cause = {},
                                   .evidence = {},
                                   .shares = {{0, before, after}}});
  };
  turn(33, 0, 0.1);
  turn(34, 0.1, 0.5);
  turn(35, 0.5, 0.48);  // a wobble
  const auto calm = story.report();
  REQUIRE(calm.events[1].back);
  REQUIRE(calm.events[1].back->after_s);
  CHECK(*calm.events[1].back->after_s == Approx(2.5).margin(0.3));
  CHECK(calm.events[1].back->reversals == 0);
  CHECK(passed(calm, "comes back to a"));

  turn(36, 0.48, 0.1);
  turn(37, 0.1, 0.5);
  const auto flapping = story.report();
  CHECK(flapping.events[1].back->reversals == 2);
  CHECK_FALSE(passed(flapping, "comes back to a"));
}

TEST_CASE("traffic need not come back to an upstream that is farther than another") {
  Story story([](double at) { return at >= 25; });
  story.run.events = {black_hole(25), restore(32)};
  CHECK_FALSE(passed(story.report(), "comes back to a"));
  story.run.events[1].nearest = false;
  const auto report = story.report();
  CHECK(report.passed());
  CHECK_FALSE(report.events[1].back->after_s.has_value());
}

TEST_CASE("without steering there are figures but no verdict") {
  Story story([](double) { return false; });
  story.run.events = {brownout(12)};
  story.run.steered = false;
  const auto report = story.report();
  CHECK(report.checks.empty());
  CHECK(report.events.size() == 1);
  CHECK(report.passed());
}

TEST_CASE("packets lost are the links' own counts between an event and the next") {
  Story story([](double at) { return at >= 13; });
  story.run.events = {brownout(12), restore(20)};
  for (int second = 0; second <= 40; ++second)
    for (const std::uint16_t upstream : {std::uint16_t{0}, std::uint16_t{1}})
      story.run.links.push_back({.at = static_cast<double>(second),
                                 .upstream = upstream,
                                 .lost = upstream == 0 && second > 12 ? 7U : 0U,
                                 .dropped = upstream == 1 && second > 25 ? 3U : 0U});
  const auto report = story.report();
  CHECK(report.events[0].packets_lost == 7);
  CHECK(report.events[0].packets_lost_elsewhere == 0);
  CHECK(report.events[1].packets_lost == 0);
  CHECK(report.events[1].packets_lost_elsewhere == 3);
}

TEST_CASE("shares of every 100 ms add up to one where there is traffic") {
  Story story([](double at) { return at >= 13; });
  const auto report = story.report();
  REQUIRE(report.bins.size() == 400);
  for (const auto& bin : report.bins) CHECK(bin.all[0] + bin.all[1] == Approx(1));
  CHECK(report.bins[200].all[1] == 1);
}

TEST_CASE("a quantile is one of the values, by nearest rank") {
  CHECK(quantile({3, 1, 2}, 0.5) == 2);
  CHECK(quantile({1, 2, 3, 4}, 0.99) == 4);
  CHECK(quantile({5}, 0) == 5);
  CHECK(quantile({}, 0.5) == 0);
}

TEST_CASE("the report's JSON and summary say the same as its figures") {
  Story story([](double at) { return at >= 13; });
  story.run.events = {brownout(12)};
  const auto report = story.report();
  const auto json = to_json(story.run, report);
  CHECK(json.find("\"passed\": true") != std::string::npos);
  CHECK(json.find("\"moved_s\": 1.") != std::string::npos);
  CHECK(summary(story.run, report).find("pass  traffic leaves a within 3 s") != std::string::npos);
}
