#include "core/daemon/history.hpp"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// A history in a folder of its own, whose clock stands still.
struct World {
  World() {
    char name[] = "/tmp/hopwise-history-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("no temporary folder");
    folder = name;
    log.set_level("off");
  }
  ~World() { std::filesystem::remove_all(folder); }
  World(const World&) = delete;

  [[nodiscard]] std::string file() const { return folder + "/events.jsonl"; }
  std::unique_ptr<History> open(const config::History& options) {
    return std::make_unique<History>(
        History::Parts{
            log, [](NexthopId id) { return raw(id) == 1 ? "isp-a" : "isp-b"; },
            [] { return TimePoint(100s); },
            [] { return WallTime(std::chrono::sys_days{std::chrono::year(2026) / 11 / 22}) + 5s; }},
        options);
  }
  std::unique_ptr<History> open() { return open({file(), 1'000'000}); }

  std::string folder;
  Log log;
};

Decision decision_number(std::uint64_t id) {
  Decision decision = example_decision();
  decision.id = id;
  return decision;
}

std::vector<std::uint64_t> numbers(const EventPage& page) {
  std::vector<std::uint64_t> all;
  for (const EventRecord& event : page.events) all.push_back(event.sequence);
  return all;
}

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("an effect stands with the number and the reason of its decision", "[history]") {
  World world;
  const auto history = world.open();
  history->started("hopwise 1");
  history->decided(decision_number(7));
  Effect effect;
  effect.decision = 7;
  effect.group = GroupId{1};
  effect.after_ms = 22.5;
  effect.paths = {{PathId{1}, NexthopId{1}, {20, {}, 0.5}, {22.5, {}, 0.4}, 0.01}};
  history->took_effect(effect);
  effect.decision = 99;  // of nobody's knowledge
  history->took_effect(effect);
  const auto page = history->page({});
  REQUIRE(numbers(page) == Numbers{1, 2, 3, 4});
  const json told = json::parse(page.events[2].json);
  CHECK(told["kind"] == "effect");
  CHECK(told["of"] == 2);
  CHECK(told["reason"] == "path_degraded");
  CHECK(told["after_ms"] == 22.5);
  CHECK(told["before_ms"].is_null());
  CHECK(told["paths"][0]["nexthop"] == "isp-a");
  CHECK(told["paths"][0]["predicted"]["utilisation_ratio"] == 0.5);
  CHECK(told["paths"][0]["realised"]["rtt_ms"] == 22.5);
  CHECK(json::parse(page.events[3].json)["of"].is_null());
}

TEST_CASE("a nexthop's change of state is an event, its first sight is none", "[history]") {
  World world;
  const auto history = world.open();
  history->saw(NexthopId{1}, PathState::probation);
  history->saw(NexthopId{1}, PathState::up);
  history->saw(NexthopId{1}, PathState::up);
  history->saw(NexthopId{1}, PathState::down);
  const auto page = history->page({});
  REQUIRE(page.events.size() == 2);
  CHECK(json::parse(page.events[1].json) == json{{"seq", 2},
                                                 {"time", "2026-11-22T00:00:05.000Z"},
                                                 {"at_s", 100.0},
                                                 {"kind", "nexthop"},
                                                 {"nexthop", "isp-a"},
                                                 {"before", "up"},
                                                 {"after", "down"}});
}

TEST_CASE("events are chosen by number, time, group, nexthop, reason and kind", "[history]") {
  World world;
  const auto history = world.open();
  history->started("");                  // 1
  history->decided(decision_number(1));  // 2: path_degraded by isp-a
  Decision other = decision_number(2);
  other.group = GroupId{2};
  other.reason = Reason::cost;
  other.cause.reset();
  other.paths = {{PathId{3}, NexthopId{2}}};
  history->decided(other);                      // 3
  history->saw(NexthopId{2}, PathState::up);    //
  history->saw(NexthopId{2}, PathState::down);  // 4
  CHECK(numbers(history->page({.after = 2})) == Numbers{3, 4});
  CHECK(numbers(history->page({.limit = 2})) == Numbers{3, 4});
  CHECK(numbers(history->page({.group = 1})) == Numbers{2});
  CHECK(numbers(history->page({.nexthop = "isp-a"})) == Numbers{2});
  CHECK(numbers(history->page({.nexthop = "isp-b"})) == Numbers{2, 3, 4});
  CHECK(numbers(history->page({.reason = Reason::cost})) == Numbers{3});
  CHECK(numbers(history->page({.kind = EventKind::nexthop})) == Numbers{4});
  const WallTime then(std::chrono::sys_days{std::chrono::year(2026) / 11 / 22});
  CHECK(numbers(history->page({.not_before = then + 5s})).size() == 4);
  CHECK(numbers(history->page({.not_before = then + 6s})).empty());
  CHECK(history->page({.after = 4}).last == 4);
}

TEST_CASE("numbers go on over restarts, and earlier events are shown", "[history]") {
  World world;
  for (std::uint64_t run = 1; run <= 3; ++run) {
    const auto history = world.open();
    history->started("run " + std::to_string(run));
    history->decided(decision_number(1));
    CHECK(history->page({}).last == 2 * run);
    CHECK(history->page({}).events.size() == 2 * run);
    CHECK(history->journal().recent.size() == 1);  // of this run
    CHECK(history->status().events == 2);
  }
}

TEST_CASE("what was shown is in the file at once", "[history]") {
  World world;
  const auto history = world.open();
  history->decided(decision_number(1));
  CHECK(read_history(world.file(), 1'000'000)->lines.empty());
  REQUIRE(history->page({}).events.size() == 1);
  REQUIRE(history->flush_within(10s));  // a slow disk is not waited for
  CHECK(read_history(world.file(), 1'000'000)->lines ==
        std::vector<std::string>{history->page({}).events[0].json});
}

TEST_CASE("without a file events are kept in memory", "[history]") {
  World world;
  const auto history = world.open({"", 1'000'000});
  history->decided(decision_number(1));
  CHECK(history->flush_within(10s));
  CHECK(history->page({}).events.size() == 1);
  CHECK(history->status().trouble.empty());
  CHECK(std::filesystem::is_empty(world.folder));
}

TEST_CASE("a file that cannot be written is tried again, and then has all", "[history]") {
  World world;
  const std::string blocked = world.folder + "/blocked";
  const auto history = [&] {
    std::filesystem::create_symlink("/nowhere", blocked);  // a link is no file to write to
    return world.open({blocked + "/events.jsonl", 1'000'000});
  }();
  history->decided(decision_number(1));
  REQUIRE(history->flush_within(10s));
  CHECK(history->status().trouble.find("open " + blocked) == 0);
  CHECK(history->status().write_failures == 2);
  CHECK(history->page({}).events.size() == 1);
  std::filesystem::remove(blocked);
  REQUIRE(history->flush_within(10s));
  CHECK(history->status().trouble.empty());
  CHECK(read_history(blocked + "/events.jsonl", 1'000'000)->lines.size() == 1);
}

TEST_CASE("damaged records are counted once, and numbers still go on", "[history]") {
  World world;
  {
    const auto history = world.open();
    for (std::uint64_t i = 1; i <= 5; ++i) history->decided(decision_number(i));
  }
  {
    HistoryFile other(world.file(), 1'000'000);  // sealed, and yet no event
    other.append(R"({"seq":"six"})");
    REQUIRE(other.flush().has_value());
  }
  const auto history = world.open();
  CHECK(history->status().corrupt == 1);
  history->decided(decision_number(1));
  CHECK(numbers(history->page({})) == Numbers{1, 2, 3, 4, 5, 6});
}

TEST_CASE("memory keeps the newest events only", "[history]") {
  World world;
  const auto history = world.open({"", 1'000'000});
  for (std::uint64_t i = 1; i <= 20'000; ++i) history->decided(decision_number(i));
  const auto page = history->page({.limit = 20'000});
  CHECK(page.last == 20'000);
  CHECK(page.first > 1);
  CHECK(page.events.front().sequence == page.first);
  std::size_t bytes = 0;
  for (const EventRecord& event : page.events) bytes += event.json.size();
  CHECK(bytes <= 4 << 20);
  CHECK(bytes > 3 << 20);
}

TEST_CASE("another file by a reload takes the history with it", "[history]") {
  World world;
  const auto history = world.open();
  history->decided(decision_number(1));
  history->reconfigure({world.folder + "/other.jsonl", 1'000'000});
  history->reloaded("file");
  CHECK(numbers(history->page({})) == Numbers{1, 2});
  CHECK(read_history(world.file(), 1'000'000)->lines.size() == 1);
  CHECK(read_history(world.folder + "/other.jsonl", 1'000'000)->lines.size() == 1);
}

TEST_CASE("events of another daemon are neither shown nor mixed with ours", "[history]") {
  World world;
  auto other = world.open();
  other->started("the other");
  REQUIRE(other->flush_within(10s));
  const auto history = world.open();
  CHECK_THAT(history->status().trouble, Catch::Contains("another hopwise writes it"));
  history->decided(decision_number(1));
  CHECK(numbers(history->page({})) == Numbers{1});
  other.reset();
  CHECK(history->flush_within(10s));  // nor once it has ended: it may come back
  CHECK(read_history(world.file(), 1'000'000)->lines.size() == 1);
  CHECK(world.open()->page({}).last == 1);
}

TEST_CASE("what happens while the disk is busy is written after it, in order", "[history]") {
  World world;
  {
    const auto history = world.open();
    for (std::uint64_t i = 1; i <= 300; ++i) {
      history->decided(decision_number(i));
      history->flush();  // does not wait
    }
  }
  const auto history = world.open();
  CHECK(history->page({}).last == 300);
  CHECK(history->page({.limit = 1000}).events.size() == 300);
  CHECK(history->status().dropped == 0);
}
