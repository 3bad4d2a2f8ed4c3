#include "core/daemon/trace_journal.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1h};
const Nexthop kIspA{NexthopId{1}, {}, "wan", "isp-a"};
const Nexthop kIspB{NexthopId{2}, {}, "wan", "isp-b"};

IpAddress address(const std::string& text) {
  return *IpAddress::parse(text);
}
const IpAddress kAnchor = address("203.0.113.1");

TraceHop hop(std::uint8_t distance, const std::string& from, std::uint32_t answered = 3) {
  TraceHop hop{.distance = distance, .sent = 3};
  if (answered > 0) hop.answers.push_back({.from = address(from), .count = answered});
  return hop;
}

// Over 10.0.0.1 and 10.0.0.2 to the anchor.
Trace whole() {
  Trace trace;
  trace.ended = trace.reached = true;
  trace.hops = {hop(1, "10.0.0.1"), hop(2, "10.0.0.2"), hop(3, "203.0.113.1")};
  return trace;
}

// It ends behind 10.0.0.1.
Trace broken() {
  Trace trace;
  trace.ended = true;
  trace.hops = {hop(1, "10.0.0.1"), hop(2, "10.0.0.2", 0)};
  return trace;
}

std::uint64_t traced(TraceJournal& journal, const Nexthop& nexthop, const std::string& because,
                     TimePoint now, const Trace& found) {
  const auto id = journal.begin({nexthop, kAnchor, because, now});
  journal.note(id, found);
  return id;
}

}  // namespace

TEST_CASE("a broken way is named by its last hop, and by what came next when it was whole",
          "[trace]") {
  TraceJournal journal;
  traced(journal, kIspA, "reference", kStart, whole());
  const auto id = traced(journal, kIspA, "path_down", kStart + 1min, broken());
  CHECK(journal.find(id)->verdict ==
        "nothing answers behind 10.0.0.1 (hop 1); 10.0.0.2 came next when the way was whole");
  // What was whole by another nexthop is no measure of this one.
  const auto other = traced(journal, kIspB, "path_down", kStart + 1min, broken());
  CHECK(journal.find(other)->verdict == "nothing answers behind 10.0.0.1 (hop 1)");
}

TEST_CASE("a trace that nobody answers says so", "[trace]") {
  TraceJournal journal;
  Trace silent;
  silent.ended = true;
  silent.hops = {hop(1, "10.0.0.1", 0)};
  const auto id = traced(journal, kIspA, "operator", kStart, silent);
  CHECK(journal.find(id)->verdict == "nothing answers");
  traced(journal, kIspA, "reference", kStart, whole());
  const auto later = traced(journal, kIspA, "path_down", kStart, silent);
  CHECK(journal.find(later)->verdict ==
        "nothing answers; 10.0.0.1 came next when the way was whole");
}

TEST_CASE("a refusal is told with who said it", "[trace]") {
  TraceJournal journal;
  Trace refused = broken();
  refused.hops.pop_back();
  refused.hops[0].answers[0].note = "!N";
  const auto id = traced(journal, kIspA, "operator", kStart, refused);
  CHECK(journal.find(id)->verdict == "10.0.0.1 (hop 1) says !N");
}

TEST_CASE("a way that changed is told where it changed", "[trace]") {
  TraceJournal journal;
  traced(journal, kIspA, "reference", kStart, whole());
  Trace other = whole();
  other.hops[1] = hop(2, "10.7.0.2");
  const auto id = traced(journal, kIspA, "path_degraded", kStart, other);
  CHECK(journal.find(id)->verdict ==
        "reached at hop 3, loss 0 %; at hop 2 is 10.7.0.2, 10.0.0.2 was there when the way was "
        "whole");
  // Where two answer at one distance, one of them alone is no change.
  Trace both = whole();
  both.hops[1].answers.push_back({.from = address("10.7.0.2"), .count = 1});
  const auto later = traced(journal, kIspA, "path_degraded", kStart, both);
  CHECK(journal.find(later)->verdict == "reached at hop 3, loss 0 %");
}

TEST_CASE("a hop that answers less than those beyond it has lost nothing", "[trace]") {
  Trace trace = whole();
  trace.hops[1] = hop(2, "10.0.0.2", 1);
  CHECK(loss_at(trace, 0) == 0);
  CHECK(loss_at(trace, 1) == 0);
  trace.hops[2] = hop(3, "203.0.113.1", 2);
  CHECK(loss_at(trace, 1) == Approx(1.0 / 3));
  CHECK(loss_at(trace, 2) == Approx(1.0 / 3));
  CHECK(loss_at(trace, 0) == 0);
  CHECK(loss_at(broken(), 1) == 1);
}

TEST_CASE("a trace that failed is no measure of later ones", "[trace]") {
  TraceJournal journal;
  Trace failed = whole();
  failed.error = "canceled";
  const auto id = traced(journal, kIspA, "operator", kStart, failed);
  CHECK(journal.find(id)->verdict == "failed: canceled");
  CHECK(journal.whole(kIspA.id, kAnchor) == nullptr);
}

TEST_CASE("what a nexthop's way was is forgotten with it", "[trace]") {
  TraceJournal journal;
  traced(journal, kIspA, "reference", kStart, whole());
  REQUIRE(journal.whole(kIspA.id, kAnchor) != nullptr);
  journal.forget(kIspA.id);
  CHECK(journal.whole(kIspA.id, kAnchor) == nullptr);
  CHECK(journal.traces().size() == 1);  // what happened stays told
}

TEST_CASE("only what probes say makes the daemon trace", "[trace]") {
  const TraceJournal journal;
  for (const Reason reason :
       {Reason::initial, Reason::cost, Reason::path_degraded, Reason::path_down, Reason::link_down,
        Reason::neighbour_lost, Reason::path_recovered, Reason::ramp, Reason::all_worse_hold,
        Reason::no_alternative_hold, Reason::overload_hold})
    CHECK(journal.may_ask(kIspA.id, reason, kStart) ==
          (reason == Reason::path_down || reason == Reason::path_degraded));
}

TEST_CASE("the daemon traces a nexthop once a minute, and a few at once", "[trace]") {
  TraceJournal journal;
  const auto may = [&](std::uint32_t id, TimePoint now) {
    return journal.may_ask(NexthopId{id}, Reason::path_down, now);
  };
  traced(journal, kIspA, "path_down", kStart, broken());
  CHECK_FALSE(may(1, kStart + 59s));
  CHECK(may(2, kStart + 59s));
  CHECK(may(1, kStart + 60s));
  // What the operator asked for, and references, do not count.
  traced(journal, kIspB, "operator", kStart, broken());
  traced(journal, kIspB, "reference", kStart, broken());
  CHECK(may(2, kStart));

  for (std::uint32_t id = 10; id < 10 + TraceJournal::kMostAtOnce; id++) {
    CHECK(may(99, kStart));
    journal.begin({{NexthopId{id}, {}, {}, {}}, kAnchor, "path_down", kStart});
  }
  CHECK_FALSE(may(99, kStart));
  journal.note(journal.traces().back().id, broken());
  CHECK(may(99, kStart));
}

TEST_CASE("calm nexthops are traced now and then, one after the other", "[trace]") {
  TraceJournal journal;
  CHECK(journal.reference_due(kIspA.id, kStart));
  const auto first = journal.begin({kIspA, kAnchor, "reference", kStart});
  CHECK_FALSE(journal.reference_due(kIspB.id, kStart + 1min));  // one runs
  journal.note(first, whole());
  CHECK_FALSE(journal.reference_due(kIspB.id, kStart + 4s));
  CHECK(journal.reference_due(kIspB.id, kStart + 5s));
  CHECK_FALSE(journal.reference_due(kIspA.id, kStart + 9min));
  CHECK(journal.reference_due(kIspA.id, kStart + 10min));
}

TEST_CASE("the newest traces are kept, and those that run", "[trace]") {
  TraceJournal journal;
  const auto running = journal.begin({kIspA, kAnchor, "operator", kStart});
  std::uint64_t last = 0;
  for (int i = 0; i < 100; i++) last = traced(journal, kIspB, "operator", kStart, broken());
  CHECK(journal.traces().size() == TraceJournal::kKept);
  CHECK(journal.find(running) != nullptr);
  CHECK(journal.find(last) != nullptr);
  CHECK(journal.find(running + 1) == nullptr);
  CHECK(last == 101);
  CHECK(journal.running() == 1);
  // What the daemon traces in an outage does not keep the operator from looking.
  journal.begin({kIspB, kAnchor, "path_down", kStart});
  CHECK(journal.running() == 2);
  CHECK(journal.running_by_operator() == 1);
}

TEST_CASE("what is found after the end changes nothing", "[trace]") {
  TraceJournal journal;
  const auto id = traced(journal, kIspA, "operator", kStart, broken());
  journal.note(id, whole());
  CHECK_FALSE(journal.find(id)->reached);
  journal.note(77, whole());
}

TEST_CASE("a trace that ends after its nexthop went is no way of the next one with that id",
          "[trace]") {
  TraceJournal journal;
  const auto id = journal.begin({kIspA, kAnchor, "operator", kStart});
  journal.forget(kIspA.id);
  journal.note(id, whole());
  CHECK(journal.find(id)->reached);
  CHECK(journal.whole(kIspA.id, kAnchor) == nullptr);
}
