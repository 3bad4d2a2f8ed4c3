#include "core/cli/event_list.hpp"

#include <set>
#include <sstream>

#include "core/api/event_json.hpp"
#include "core/cli/event_text.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace hopwise::cli;
using namespace std::chrono_literals;

namespace {

std::string name_of(NexthopId id) {
  return raw(id) == 1 ? "isp-a" : "isp-b";
}

WallTime noon() {
  return WallTime(std::chrono::sys_days{std::chrono::year(2026) / 11 / 22}) + 12h + 7ms;
}

EventRecord record(std::uint64_t number, EventKind kind, decltype(Event::what) what) {
  return api::record_of(Event{number, noon(), TimePoint(97s), kind, std::move(what)}, name_of);
}

std::string rendered(const EventRecord& event) {
  const auto text = render_event(event.json);
  if (!text) FAIL(text.error().message);
  return *text;
}

EventRecord started(std::uint64_t number) {
  return record(number, EventKind::start, Notice{"hopwise 1, defaults"});
}

EventPage page(std::vector<EventRecord> events, std::uint64_t last) {
  return {std::move(events), last, 1, "/var/lib/hopwise/events.jsonl"};
}

Result<api::Reply> reply(const EventPage& page) {
  return api::Reply{200, api::to_json(page)};
}

Result<api::Reply> nobody() {
  return Error{"no daemon answers at /x"};
}

/// A daemon that answers so, one after the other; it is alive whenever it has an answer.
struct Conversation {
  std::vector<Result<api::Reply>> answers;
  std::vector<EventRecord> file{};
  std::vector<std::string> asked{};
  std::ostringstream out{}, err{};

  int run(const EventLine& line) {
    std::size_t at = 0;
    return run_events(
        line, {.ask = [&](const std::string&, const std::string& target) -> Result<api::Reply> {
                 REQUIRE(at < answers.size());
                 if (target == "/healthz" && answers[at]) return api::Reply{200, "ok\n"};
                 asked.push_back(target);
                 return answers[at++];
               },
               .pause =
                   [&](Duration) {
                     if (at == answers.size()) out.setstate(std::ios::failbit);  // as a closed pipe
                   },
               .wall = noon,
               .read_file = [&]() -> Result<std::vector<EventRecord>> {
                 if (file.empty()) return Error{"read /f: no"};
                 return file;
               },
               .file = "/f",
               .out = out,
               .err = err});
  }
};

}  // namespace

TEST_CASE("each event is one line", "[events]") {
  Decision decision = example_decision();
  decision.paths[0].predicted.rtt_ms = 110;
  decision.paths[1].predicted.rtt_ms = 15.25;
  CHECK(rendered(record(11, EventKind::decision, decision)) ==
        "2026-11-22 12:00:00.007Z  #11  group 1    path_degraded        isp-a 50.0>25.0 %, isp-b "
        "50.0>75.0 %  by isp-a  (rtt_ms=120.5 base_ms=20.0)  predicted 38.94 ms\n");
  decision.cause.reset();
  decision.evidence.clear();
  decision.paths[0].predicted = {};
  for (PathShare& share : decision.paths) share.after = share.before;
  CHECK(rendered(record(12, EventKind::decision, decision)) ==
        "2026-11-22 12:00:00.007Z  #12  group 1    path_degraded        no share changed\n");

  Effect effect;
  effect.group = GroupId{1};
  effect.before_ms = 60.4;
  effect.after_ms = 23;
  effect.paths = {{PathId{1}, NexthopId{1}, {22.1, {}, {}}, {23, {}, 0.5}, 0.01},
                  {PathId{2}, NexthopId{2}, {}, {}, 0}};
  CHECK(rendered(record(13, EventKind::effect, EffectOf{effect, 11, Reason::cost})) ==
        "2026-11-22 12:00:00.007Z  #13  group 1    effect               of #11: realised 23.00 ms, "
        "before 60.40 ms  isp-a predicted 22.10 ms, realised 23.00 ms, 50.0 % used, lost 1.0 %\n");
  CHECK(rendered(record(14, EventKind::nexthop,
                        NexthopChange{NexthopId{2}, PathState::up, PathState::down})) ==
        "2026-11-22 12:00:00.007Z  #14  isp-b      state                up > down\n");
  CHECK(rendered(started(15)) ==
        "2026-11-22 12:00:00.007Z  #15  daemon     start                hopwise 1, defaults\n");
  CHECK(rendered(record(16, EventKind::reload, Notice{"a.json:1:2: no\nb", true})) ==
        "2026-11-22 12:00:00.007Z  #16  daemon     reload refused       a.json:1:2: no b\n");
  CHECK(render_event("{}").has_error());
}

TEST_CASE("an event read back is the event written", "[events]") {
  const EventRecord written = record(11, EventKind::decision, example_decision());
  const auto read = api::read_event(written.json);
  REQUIRE(read.has_value());
  CHECK(read->sequence == 11);
  CHECK(read->wall == noon());
  CHECK(read->kind == EventKind::decision);
  CHECK(read->group == GroupId{1});
  CHECK(read->reason == Reason::path_degraded);
  CHECK(std::set<std::string>(read->nexthops.begin(), read->nexthops.end()) ==
        std::set<std::string>(written.nexthops.begin(), written.nexthops.end()));
  CHECK(read->json == written.json);
  for (const char* bad : {"", "{", "[]", "7", R"({"seq":0,"time":"2026-11-22T12:00:00.007Z"})",
                          R"({"seq":1,"time":"yesterday","kind":"start"})",
                          R"({"seq":1,"time":"2026-11-22T12:00:00.007Z","kind":"party"})"})
    CHECK_FALSE(api::read_event(bad));
}

TEST_CASE("the line typed becomes the daemon's question", "[events]") {
  Conversation talk{{reply(page({started(4)}, 4))}};
  CHECK(talk.run({.group = "2",
                  .nexthop = "isp-a",
                  .reason = "cost",
                  .kind = "decision",
                  .since = "10m",
                  .limit = "7"}) == 0);
  CHECK(talk.asked == std::vector<std::string>{
                          "/api/v1/events?limit=7&since=0&within_s=600&group=2&nexthop=isp-a&"
                          "reason=cost&kind=decision"});
  CHECK(talk.out.str() == rendered(started(4)));
  CHECK(talk.err.str().empty());
}

TEST_CASE("a line that means nothing is refused before anybody is asked", "[events]") {
  for (const EventLine& line :
       {EventLine{.group = "x"}, EventLine{.reason = "whim"}, EventLine{.kind = "party"},
        EventLine{.since = "soon"}, EventLine{.since = "0m"}, EventLine{.limit = "0"},
        EventLine{.limit = "10001"}}) {
    Conversation talk{{}};
    CHECK(talk.run(line) == 2);
    CHECK(talk.err.str().starts_with("hopwise: --"));
  }
}

TEST_CASE("following tells each event once, over a restart of the daemon too", "[events]") {
  Conversation talk{{reply(page({started(1)}, 1)), reply(page({}, 1)), nobody(), nobody(),
                     reply(page({started(2)}, 2)), reply(page({started(3)}, 3))}};
  CHECK(talk.run({.follow = true}) == 0);
  CHECK(talk.out.str() == rendered(started(1)) + rendered(started(2)) + rendered(started(3)));
  CHECK(talk.err.str() ==
        "hopwise: no daemon answers at /x; waiting for it\nhopwise: the daemon answers\n");
  CHECK(talk.asked[1] == "/api/v1/events?limit=10000&since=1");
  CHECK(talk.asked[5] == "/api/v1/events?limit=10000&since=2");
}

TEST_CASE("a daemon that kept nothing begins anew, and is followed from its first event",
          "[events]") {
  Conversation talk{{reply(page({started(40)}, 40)), nobody(), reply(page({}, 2)),
                     reply(page({started(1), started(2)}, 2))}};
  CHECK(talk.run({.follow = true}) == 0);
  CHECK(talk.out.str() == rendered(started(40)) + rendered(started(1)) + rendered(started(2)));
}

TEST_CASE("without a daemon the file tells", "[events]") {
  Conversation talk{{nobody()}, {started(1), started(2), started(3)}};
  CHECK(talk.run({.since = "1", .limit = "1"}) == 0);
  CHECK(talk.out.str() == rendered(started(3)));
  CHECK(talk.err.str() == "hopwise: no daemon answers at /x\nhopwise: these are from /f\n");

  Conversation json{{nobody()}, {started(1)}};
  CHECK(json.run({.json = true}) == 0);
  CHECK(json.out.str() == started(1).json + '\n');

  Conversation nothing{{nobody()}};
  CHECK(nothing.run({}) == 1);
  CHECK(nothing.err.str() == "hopwise: no daemon answers at /x; read /f: no\n");
}

TEST_CASE("an error of the daemon is told, and no file instead", "[events]") {
  Conversation talk{{api::Reply{400, R"({"error":"no such thing"})"}}, {started(1)}};
  CHECK(talk.run({}) == 1);
  CHECK(talk.err.str() == "hopwise: no such thing\n");
  CHECK(talk.out.str().empty());
}
