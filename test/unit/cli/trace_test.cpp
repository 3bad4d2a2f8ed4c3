#include "core/cli/trace.hpp"

#include <sstream>

#include "core/api/server.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::cli;
using namespace std::chrono_literals;

namespace {

TraceHop hop(std::uint8_t distance, const char* from, std::uint32_t answered = 3) {
  TraceHop hop{.distance = distance, .sent = 3};
  if (answered > 0)
    hop.answers.push_back({*IpAddress::parse(from), answered, 1ms, 2ms, 12340us, {}});
  return hop;
}

Trace begun() {
  Trace trace;
  trace.id = 7;
  trace.nexthop_name = "isp-a";
  trace.destination = *IpAddress::parse("203.0.113.9");
  trace.because = "operator";
  return trace;
}

Trace reached() {
  Trace trace = begun();
  trace.hops = {hop(1, "10.0.0.1"), hop(2, "10.0.0.2", 0), hop(3, "203.0.113.9")};
  trace.hops[0].answers.push_back({*IpAddress::parse("10.0.0.77"), 1, 1ms, 1ms, 1ms, "!X"});
  trace.ended = trace.reached = true;
  trace.verdict = "reached at hop 3, loss 0 %";
  return trace;
}

std::string next(TraceReport& report, const Trace& trace) {
  const auto text = report.next(api::to_json(trace));
  if (!text) FAIL(text.error().message);
  return *text;
}

/// What the daemon answers, one after the other, and what was asked of it and printed.
struct Conversation {
  std::vector<Result<api::Reply>> answers;
  std::vector<std::string> asked{};
  std::ostringstream out{}, err{};
  int pauses = 0;

  int run(const TraceLine& line) {
    std::size_t at = 0;
    return run_trace(line, {.ask = [&](const std::string& method,
                                       const std::string& target) -> Result<api::Reply> {
                              asked.push_back(method + ' ' + target);
                              REQUIRE(at < answers.size());
                              return answers[at++];
                            },
                            .pause = [&](Duration) { pauses++; },
                            .out = out,
                            .err = err});
  }
};

api::Reply ok(const Trace& trace) {
  return {200, api::to_json(trace)};
}

}  // namespace

TEST_CASE("hops are told as they settle, each once", "[trace]") {
  TraceReport report(3);
  Trace trace = begun();
  CHECK(next(report, trace) ==
        "to 203.0.113.9 by isp-a\n"
        "HOP  ADDRESS           LOSS       LEAST        MEAN        MOST\n");
  trace.hops = {hop(1, "10.0.0.1", 2), hop(2, "10.0.0.2")};
  CHECK(next(report, trace).empty());  // the first may have more to come
  trace.hops[0] = hop(1, "10.0.0.1");
  CHECK(next(report, trace) ==
        "  1  10.0.0.1           0 %     1.00 ms     2.00 ms    12.34 ms\n"
        "  2  10.0.0.2           0 %     1.00 ms     2.00 ms    12.34 ms\n");
  CHECK(next(report, trace).empty());
  trace.ended = true;
  trace.verdict = "nothing answers behind 10.0.0.2 (hop 2)";
  trace.hops.push_back(hop(3, "10.0.0.3", 0));
  CHECK(next(report, trace) == "  3  no answer\nnothing answers behind 10.0.0.2 (hop 2)\n");
  CHECK(report.ended());
  CHECK_FALSE(report.reached());
}

TEST_CASE("several addresses at one hop have a line each, with what they say", "[trace]") {
  TraceReport report(3);
  CHECK(next(report, reached()) ==
        "to 203.0.113.9 by isp-a\n"
        "HOP  ADDRESS           LOSS       LEAST        MEAN        MOST\n"
        "  1  10.0.0.1           0 %     1.00 ms     2.00 ms    12.34 ms\n"
        "     10.0.0.77                  1.00 ms     1.00 ms     1.00 ms  !X\n"
        "  2  no answer\n"
        "  3  203.0.113.9        0 %     1.00 ms     2.00 ms    12.34 ms\n"
        "reached at hop 3, loss 0 %\n");
}

TEST_CASE("another version's answer is an error", "[trace]") {
  CHECK_FALSE(TraceReport(3).next("{}").has_value());
  CHECK_FALSE(TraceReport(3).next("").has_value());
  CHECK_FALSE(render_traces("[]").has_value());
}

TEST_CASE("a trace is begun, followed and ends with its exit status", "[trace]") {
  Conversation talk{{api::Reply{202, "{\"id\":7}\n"}, ok(begun()), ok(reached())}};
  CHECK(talk.run({"isp-a", "203.0.113.9", "3", "12"}) == 0);
  CHECK(talk.asked[0] == "POST /api/v1/traces?nexthop=isp-a&dst=203.0.113.9&probes=3&hops=12");
  CHECK(talk.asked[1] == "GET /api/v1/traces?id=7");
  CHECK(talk.pauses == 1);
  CHECK(talk.out.str().ends_with("reached at hop 3, loss 0 %\n"));

  Trace broken = reached();
  broken.reached = false;
  Conversation other{{api::Reply{202, "{\"id\":7}\n"}, ok(broken)}};
  CHECK(other.run({"isp-a", "203.0.113.9"}) == 1);

  Conversation json{{api::Reply{202, "{\"id\":7}\n"}, ok(begun()), ok(reached())}};
  CHECK(json.run({"isp-a", "203.0.113.9", "3", "30", true}) == 0);
  CHECK(json.out.str().starts_with("{\"id\":7,"));
  CHECK(json.out.str().find('\n') == json.out.str().size() - 1);
}

TEST_CASE("a wrong line is told before anything is asked", "[trace]") {
  for (const TraceLine& line :
       {TraceLine{"isp-a", "example.net"}, TraceLine{"isp-a", "192.0.2.1", "0"},
        TraceLine{"isp-a", "192.0.2.1", "21"}, TraceLine{"isp-a", "192.0.2.1", "3", "65"},
        TraceLine{"isp-a", "192.0.2.1", "x"}, TraceLine{"isp-a", ""}}) {
    Conversation talk{{}};
    INFO(line.destination << ' ' << line.probes << ' ' << line.max_hops);
    CHECK(talk.run(line) == 2);
    CHECK(talk.asked.empty());
    CHECK_FALSE(talk.err.str().empty());
  }
}

TEST_CASE("without a daemon, or a nexthop of that name, a trace says so", "[trace]") {
  Conversation none{{Error{"connect to /run/x: no daemon runs"}}};
  CHECK(none.run({"isp-a", "203.0.113.9"}) == 1);
  CHECK(none.err.str() == "hopwise: connect to /run/x: no daemon runs\n");
  Conversation unknown{{api::Reply{422, "{\"error\":\"there is no nexthop \\\"isp-x\\\"\"}\n"}}};
  CHECK(unknown.run({"isp-x", "203.0.113.9"}) == 2);
  CHECK(unknown.err.str() == "hopwise: there is no nexthop \"isp-x\"\n");
}

TEST_CASE("traces that are kept are listed, and one is shown by its number", "[trace]") {
  const auto text =
      render_traces(api::to_json(std::vector{begun(), reached()}, begun().started + 90s));
  REQUIRE(text.has_value());
  CHECK(*text ==
        "ID       BEGAN  NEXTHOP  DESTINATION  BECAUSE   VERDICT\n"
        " 7  90.0 s ago  isp-a    203.0.113.9  operator  under way\n"
        " 7  90.0 s ago  isp-a    203.0.113.9  operator  reached at hop 3, loss 0 %\n");
  Conversation kept{{ok(reached())}};
  CHECK(kept.run({"7", ""}) == 0);
  CHECK(kept.asked == std::vector<std::string>{"GET /api/v1/traces?id=7"});
  Conversation listed{{api::Reply{200, "{\"traces\":[]}\n"}}};
  CHECK(listed.run({}) == 0);
  CHECK(listed.out.str() == "no traces yet\n");
}
