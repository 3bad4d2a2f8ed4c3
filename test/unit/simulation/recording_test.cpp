// Recordings: what is written is read again bit by bit, a replay decides the same, and whatever
// else is in a file is told with its place.
#include "core/simulation/recording.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "test/catch.hpp"
#include "test/unit/simulation/night.hpp"

using namespace hopwise;
using namespace hopwise::simulation;
using namespace hopwise::test;
using namespace std::chrono_literals;

namespace {

struct Recorded {
  std::string text;
  std::vector<Decision> decisions;
  TimePoint end;
};

// Two minutes, a brownout, a black hole, and well again.
void live(Night& night) {
  night.run(60s);
  night.extra_ms = 40;
  night.run(30s);
  night.extra_ms = 0, night.loss = 1;
  night.run(20s);
  night.loss = 0;
  night.run(30s);
}

Recorded record_from_start() {
  engine::Options options;
  options.policy.name = "mine \"quoted\"\n";
  options.gain = 0.1 + 0.2;
  engine::Engine engine(options);
  RecordingWriter recorder;
  Night night(engine);
  recorder.begin({kRecordingVersion, "0.0.0", WallTime(1700000000s), night.now(),
                  RecordingHead::From::start, options},
                 engine);
  engine.set_tap(&recorder);
  recorder.name(kFast, "fast");
  night.begin();
  live(night);
  engine.reconfigure(engine::Options{});
  engine.observe(EscapeEvent{kSlow, night.now()});
  engine.remove_group(kGroup);
  engine.remove_nexthop(kFast);
  night.run(1s);
  recorder.end("asked");
  return {recorder.take(), night.decisions, night.now()};
}

// One of nearly every kind of line.
std::string brief_recording() {
  engine::Engine engine{engine::Options{}};
  RecordingWriter recorder;
  engine.set_tap(&recorder);
  Night night(engine);
  night.begin();
  recorder.begin({kRecordingVersion, "0.0.0", {}, night.now(), RecordingHead::From::running, {}},
                 engine);
  night.run(1100ms);
  recorder.end("asked");
  return recorder.take();
}

Result<RecordingEnd> read(const std::string& text, RecordingListener& to) {
  std::istringstream in(text);
  return read_recording(in, "night.rec", to);
}

std::string error_of(const std::string& text) {
  Player player;
  const auto end = read(text, player);
  return end ? "" : end.error().message;
}

const std::string kHead =
    R"({"hopwise_recording":1,"made_by":"x","began_ns":5,"clock_ns":1000,"from":"start","options":{}})"
    "\n";

}  // namespace

TEST_CASE("a replay decides the same as the recorded engine, bit by bit",
          "[simulation][recording]") {
  const Recorded recorded = record_from_start();
  Player player;
  const auto end = read(recorded.text, player);
  INFO((end ? "" : end.error().message));
  REQUIRE(end.has_value());
  CHECK(end->because == "asked");
  CHECK_FALSE(end->torn);
  CHECK(end->bytes == recorded.text.size());
  CHECK(player.head->options.policy.name == "mine \"quoted\"\n");
  CHECK(player.head->options.gain == 0.1 + 0.2);
  CHECK(player.head->began == WallTime(1700000000s));

  REQUIRE(recorded.decisions.size() > 5);
  REQUIRE(player.recorded.size() == recorded.decisions.size());
  REQUIRE(player.made.size() == recorded.decisions.size());
  for (std::size_t i = 0; i < recorded.decisions.size(); ++i) {
    INFO(i);
    CHECK(same(player.recorded[i], recorded.decisions[i]));
    CHECK(same(player.made[i], recorded.decisions[i]));
  }
}

TEST_CASE("what a replayed engine is told makes the same recording again",
          "[simulation][recording]") {
  const Recorded recorded = record_from_start();
  Player player;
  REQUIRE(read(recorded.text, player).has_value());
  player.again.end("asked");
  // Names are the daemon's, no engine is told them; anchors are told when they are first named.
  std::string expected = recorded.text;
  const std::string name = "[\"n\",1,\"fast\"]\n";
  expected.erase(expected.find(name), name.size());
  const std::string again = player.again.take();
  const auto differs = std::mismatch(again.begin(), again.end(), expected.begin(), expected.end());
  INFO("again:    " << std::string(differs.first, again.end()).substr(0, 300));
  INFO("expected: " << std::string(differs.second, expected.end()).substr(0, 300));
  CHECK((again == expected));
}

TEST_CASE("a recording may begin at any time, and knows what stands", "[simulation][recording]") {
  engine::Engine engine{engine::Options{}};
  RecordingWriter recorder;
  engine.set_tap(&recorder);
  Night night(engine);
  recorder.name(kFast, "fast");
  night.begin();
  night.run(90s);
  CHECK(recorder.take().empty());
  recorder.begin({kRecordingVersion, "0.0.0", {}, night.now(), RecordingHead::From::running, {}},
                 engine);
  night.decisions.clear();
  const auto before = engine.group(kGroup);
  night.run(60s);
  night.loss = 1;
  night.run(20s);
  recorder.end("asked");

  Player player;
  const auto end = read(recorder.take(), player);
  INFO((end ? "" : end.error().message));
  REQUIRE(end.has_value());
  CHECK(player.names.at(kFast) == "fast");
  const auto shown = player.engine->group(kGroup);
  REQUIRE(shown.size() == before.size());
  CHECK(engine.group(kGroup).size() == shown.size());
  const auto fell = [](const std::vector<Decision>& list) {
    for (const Decision& d : list)
      if (d.reason == Reason::path_down && d.cause == kFast) return d.at;
    return TimePoint{};
  };
  // In the replay the path goes down at the very same tick.
  REQUIRE(fell(night.decisions) != TimePoint{});
  CHECK(fell(player.made) == fell(night.decisions));
}

TEST_CASE("a recording ends where it was torn, and says so", "[simulation][recording]") {
  const std::string text = brief_recording();
  for (std::size_t size = text.find('\n') + 1; size < text.size(); ++size) {
    Player player;
    const auto end = read(text.substr(0, size), player);
    INFO("cut at " << size << (end ? "" : ": " + end.error().message));
    REQUIRE(end.has_value());
    // Whole where it ends with a line, or with all of one but its line feed.
    CHECK(end->torn == (text[size - 1] != '\n' && text[size] != '\n'));
    CHECK(end->because.has_value() == (size + 1 == text.size()));
  }
}

TEST_CASE("a file without a whole first line is no recording", "[simulation][recording]") {
  for (std::size_t size = 0; size + 1 < kHead.size(); ++size) {
    INFO(size);
    CHECK(error_of(kHead.substr(0, size)).starts_with("night.rec:1:"));
  }
  CHECK(error_of(kHead.substr(0, kHead.size() - 1)).empty());
  CHECK(error_of("") == "night.rec:1:1: the file is empty: this is no recording");
  CHECK_THAT(error_of("{\"paths\": []}\n"),
             Catch::StartsWith("night.rec:1:1: this is no recording: its first line should begin"));
  CHECK_THAT(error_of("{\"hopwise_recording\":2}\n"),
             Catch::Contains("is of version 2 of the format; this hopwise reads 1"));
  CHECK(is_recording(kHead));
  CHECK_FALSE(is_recording("{\"paths\": []}"));
}

TEST_CASE("what is wrong in a recording is told with line and column", "[simulation][recording]") {
  const struct {
    std::string line, told;
  } cases[] = {
      {"garbage", ":2:1: not JSON"},
      {"", ":2:1: not JSON"},
      {"[]", ":2:1: should begin with a text"},
      {"[5]", ":2:1: should begin with a text"},
      {"[\"zz\",1]", ":2:2: unknown kind of line \"zz\""},
      {"[\"t\"]", ":2:1: has 0 values instead of 1"},
      {"[\"t\",1.5]", ":2:6: should be a whole number in range, and is 1.5"},
      {"[\"t\",\"1\"]", ":2:6: should be a whole number in range, and is a string"},
      {"[\"t\",99999999999999999999]", ":2:6: should be a whole number"},
      {"[\"t\",9000000000000000000]", ":2:6: 9000000000000000000 ns are too much"},
      {"[\"s\",1]", ":2:1: has no nexthop and anchor"},
      {"[\"s\",1,0,0,0,0]", ":2:8: there is no anchor 0 so far"},
      {"[\"s\",-1,0]", ":2:6: should be a whole number"},
      {"[\"s\",1,\"nowhere\"]", ":2:8: "},
      {"[\"s\",1,\"1.2.3.4\",9]", ":2:18: 9 is none of the values"},
      {"[\"s\",1,\"1.2.3.4\",0,0,0,0,0,0,0,0,0,0,0]", ":2:38: is one value too many"},
      {"[\"a\",1,\"1.2.3.4\"]", ":2:6: anchor 0 should come now"},
      {"[\"p\",7]", ":2:1: should have one list behind its first value"},
      {"[\"p\",[1,0,0,7]]", ":2:13: should be a list, and is a number"},
      {"[\"g\",1,0]", ":2:1: has 2 values instead of 4"},
      {"[\"gt\",1,{\"mode\":7}]", ":2:17: 7 is none of the values"},
      {"{\"end\":1}", ":2:8: should be a text, and is a number"},
      {"{\"fin\":1}", ":2:1: should be a list, or {\"end\": ...}"},
      {std::string(64, '['), ":2:"},
      {"{\"end\":\"x\"}\n[\"t\",1]", ":3:1: stands behind the line that ends"},
      {"[\"t\",1]\n[\"t\",", ":3:"},
  };
  for (const auto& [line, told] : cases) {
    INFO(line);
    CHECK_THAT(error_of(kHead + line + "\n"), Catch::StartsWith("night.rec" + told));
  }
  CHECK_THAT(error_of(kHead + std::string(5 << 20, '7') + "\n"),
             Catch::StartsWith("night.rec:2:1: this line is too long"));
}

TEST_CASE("any byte of a recording may be wrong", "[simulation][recording]") {
  const std::string text = brief_recording();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string spoilt = text;
    spoilt[at] = static_cast<char>(spoilt[at] ^ 0x15);
    const std::string error = error_of(spoilt);
    if (error.empty()) continue;
    ++refused;
    CHECK_THAT(error, Catch::StartsWith("night.rec:"));
  }
  CHECK(refused > text.size() / 4);
}

TEST_CASE("what is not finite is recorded as that", "[simulation][recording]") {
  engine::Engine engine{engine::Options{}};
  RecordingWriter recorder;
  recorder.begin({}, engine);
  recorder.observe(LoadReading{kFast, {}, 1s, std::nan("")});
  const std::string text = recorder.take();
  CHECK(text.find("null") != std::string::npos);
  CHECK(error_of(text).empty());
}

TEST_CASE("a night's recording is of a reasonable size", "[simulation][recording]") {
  engine::Engine engine{engine::Options{}};
  RecordingWriter recorder;
  engine.set_tap(&recorder);
  Night night(engine);
  recorder.begin({kRecordingVersion, "0.0.0", {}, night.now(), RecordingHead::From::start, {}},
                 engine);
  std::size_t bytes = 0;
  night.at_tick = [&] { bytes += recorder.take().size(); };
  night.begin();
  night.run(10min);
  const double megabytes_per_hour = static_cast<double>(bytes) * 6 / 1e6;
  WARN("3 nexthops x 3 anchors x 5 probes a second: " << megabytes_per_hour << " MB an hour");
  CHECK(megabytes_per_hour < 20);
}

TEST_CASE("what is recorded has no field that fields.hpp does not know",
          "[simulation][recording]") {
  // One of these has changed? Name its new fields in core/simulation/fields.hpp, then the size
  // here.
  CHECK(sizeof(engine::Options) == 312);
  CHECK(sizeof(engine::Policy) == 128);
  CHECK(sizeof(engine::GroupTerms) == 240);
  CHECK(sizeof(engine::Objectives) == 56);
  CHECK(sizeof(engine::NexthopTerms) == 72);
  CHECK(sizeof(engine::NexthopMemory) == 96);
  CHECK(sizeof(engine::GroupMemory) == 56);
  CHECK(sizeof(Sample) == 120);
  CHECK(sizeof(PathTraffic) == 72);
}

TEST_CASE("a nexthop's terms and what was remembered are read again whole",
          "[simulation][recording]") {
  struct Ears : Player {
    using Player::set_terms;
    void set_terms(NexthopId, const engine::NexthopTerms& told) override { terms = told; }
    void recall(NexthopId, const engine::NexthopMemory& told, TimePoint) override {
      nexthop = told;
    }
    void recall(GroupId, const engine::GroupMemory& told, TimePoint) override { group = told; }
    engine::NexthopTerms terms;
    engine::NexthopMemory nexthop;
    engine::GroupMemory group;
  };
  const engine::NexthopTerms terms{engine::Capacity{1e9, true, BandwidthMethod::link}, 2e8, 3.5,
                                   engine::Capacity{5e7, false, BandwidthMethod::train}};
  engine::NexthopMemory nexthop;
  nexthop.penalty = 1500;
  nexthop.penalty_age = 7s;
  nexthop.commit_slots = {1e6F, 2e6F};
  engine::GroupMemory group;
  group.reverted = true;
  group.reverted_for = 3min;
  group.reverts = 4;
  group.since_revert = 2min;

  engine::Engine engine{engine::Options{}};
  RecordingWriter recorder;
  const TimePoint now(1h);
  recorder.begin({kRecordingVersion, "0.0.0", {}, now, RecordingHead::From::start, {}}, engine);
  recorder.set_terms(kFast, terms);
  recorder.recall(kFast, nexthop, now);
  recorder.recall(kGroup, group, now);
  recorder.end("asked");
  Ears ears;
  const auto end = read(recorder.take(), ears);
  INFO((end ? "" : end.error().message));
  REQUIRE(end.has_value());
  CHECK(ears.terms == terms);
  CHECK(ears.nexthop.penalty_age == 7s);
  CHECK(ears.nexthop.commit_slots == nexthop.commit_slots);
  CHECK(ears.group.reverted_for == 3min);
  CHECK(ears.group.reverts == 4);
  CHECK(ears.group.since_revert == 2min);
}
