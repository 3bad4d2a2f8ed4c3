// Replays: the same engine does the same, another one is told apart, and what the choices would
// have meant is what the samples say. And pictures of them.
#include "core/simulation/replay.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "core/simulation/plot.hpp"
#include "test/catch.hpp"
#include "test/unit/simulation/night.hpp"

using namespace hopwise;
using namespace hopwise::simulation;
using namespace hopwise::test;
using namespace std::chrono_literals;

namespace {

// Two minutes; the first nexthop is 40 ms slower for the second half of them.
std::string brownout() {
  engine::Engine engine{engine::Options{}};
  RecordingWriter recorder;
  engine.set_tap(&recorder);
  Night night(engine);
  recorder.begin({kRecordingVersion, "0.0.0", {}, night.now(), RecordingHead::From::start, {}},
                 engine);
  night.begin();
  recorder.name(kFast, "isp-a"), recorder.name(kSlow, "isp-b"), recorder.name(kThird, "isp-c");
  night.run(60s);
  night.extra_ms = 40;
  night.run(60s);
  recorder.end("asked");
  return recorder.take();
}

Replay replayed(const std::string& text, const ReplayOptions& options = {}) {
  std::istringstream in(text);
  auto done = replay(in, "night.rec", options);
  INFO((done ? "" : done.error().message));
  REQUIRE(done.has_value());
  return std::move(*done);
}

const Choice& choice(const Replay& replay, const std::string& name) {
  for (const Choice& c : replay.groups.at(0).choices)
    if (c.name == name) return c;
  FAIL("no choice " << name);
  return replay.groups[0].choices[0];
}

}  // namespace

TEST_CASE("the engine that was recorded does the same again", "[simulation][replay]") {
  const Replay replay = replayed(brownout());
  CHECK(replay.count(ReplayedDecision::Who::both) > 2);
  CHECK(replay.count(ReplayedDecision::Who::done) == 0);
  CHECK(replay.count(ReplayedDecision::Who::would) == 0);
  CHECK(replay.seconds == Approx(120).margin(1));
  REQUIRE(replay.groups.size() == 1);
  CHECK(replay.groups[0].nexthops == std::vector<std::string>{"isp-a", "isp-b", "isp-c"});
  CHECK(choice(replay, "done").mean_ms == choice(replay, "hopwise").mean_ms);
  CHECK(choice(replay, "done").shares == choice(replay, "hopwise").shares);
}

TEST_CASE("what choices would have meant is what the samples say", "[simulation][replay]") {
  const Replay replay = replayed(brownout());
  // 10 ms and half a millisecond of noise, then 50; 15; 30. Seconds count by their traffic.
  CHECK(replay.groups[0].by_traffic);
  CHECK(*choice(replay, "only isp-a").mean_ms == Approx(30.3).margin(2));
  CHECK(*choice(replay, "only isp-b").mean_ms == Approx(15.25).margin(0.1));
  CHECK(*choice(replay, "only isp-c").mean_ms == Approx(30.25).margin(0.1));
  // Routing's weights are 1, 1, 2.
  CHECK(*choice(replay, "ecmp").mean_ms == Approx((30.25 + 15.25 + 2 * 30.25) / 4).margin(0.6));
  CHECK(choice(replay, "ecmp").shares[2] == Approx(0.5));
  CHECK(*choice(replay, "greedy").mean_ms < *choice(replay, "ecmp").mean_ms);
  CHECK(choice(replay, "greedy").shares[0] == Approx(0.5).margin(0.05));
}

TEST_CASE("another engine is told apart from what was done", "[simulation][replay]") {
  ReplayOptions options;
  options.engine.emplace();
  options.engine->degraded_delay = 1s;  // 40 ms are nothing to it
  const Replay replay = replayed(brownout(), options);
  CHECK(replay.count(ReplayedDecision::Who::done) > 0);
  const auto degraded = [&](ReplayedDecision::Who who) {
    std::size_t n = 0;
    for (const ReplayedDecision& entry : replay.decisions)
      n += entry.who == who && entry.decision.reason == Reason::path_degraded ? 1 : 0;
    return n;
  };
  CHECK(degraded(ReplayedDecision::Who::done) > 0);
  CHECK(degraded(ReplayedDecision::Who::would) == 0);
  CHECK(*choice(replay, "hopwise").mean_ms > *choice(replay, "done").mean_ms);
  for (std::size_t i = 1; i < replay.decisions.size(); ++i)
    CHECK(replay.decisions[i - 1].t_s <= replay.decisions[i].t_s);
}

TEST_CASE("seconds in which a choice would overload a nexthop are counted",
          "[simulation][replay]") {
  std::string text = brownout();
  // 100 Mbit/s for the first nexthop, told by Night; now it is as little as 1.
  const std::string told = "\"capacity\":[1e+08";
  REQUIRE(text.find(told) != std::string::npos);
  text.replace(text.find(told), told.size(), "\"capacity\":[1000000");
  const Replay replay = replayed(text);
  CHECK(choice(replay, "only isp-a").overloaded_s > 100);
  CHECK(choice(replay, "only isp-b").overloaded_s == 0);
}

TEST_CASE("a picture has every path, axis and event", "[simulation][plot]") {
  const Replay replay = replayed(brownout());
  const std::vector<Trace> traces{replay.groups[0].done, replay.groups[0].would};
  const std::string svg = draw(traces, "brownout <1>");
  for (const char* said :
       {"brownout &lt;1&gt;", "isp-a", "isp-b", "isp-c", "what was done, group 1",
        "this hopwise, group 1", "share of new flows (%)", "round-trip time (ms)", "load (Mbit/s)",
        "time (s)", "path_degraded"}) {
    INFO(said);
    CHECK(svg.find(said) != std::string::npos);
  }
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(svg.ends_with("</svg>\n"));
  if (const char* file = std::getenv("HOPWISE_TEST_PLOT")) std::ofstream(file) << svg;
}

TEST_CASE("a picture of nothing, and of what is not known, is one", "[simulation][plot]") {
  Trace empty;
  Trace unknown;
  unknown.t_s = {0, 1, 2};
  const float nan = std::nanf("");
  unknown.paths.push_back({"a&b", {0.5F, nan, 0.5F}, {nan, nan, nan}, {}, {0, 0, 0}});
  const std::vector<Trace> traces{empty, unknown};
  const std::string svg = draw(traces, "");
  CHECK(svg.find("a&amp;b") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("round-trip") == std::string::npos);
}

TEST_CASE("pictures are SVG", "[simulation][plot]") {
  CHECK(check_plot_name("night.svg").has_value());
  CHECK_THAT(check_plot_name("night.png").error().message,
             Catch::Contains("plot to night.png: only SVG is written"));
}
