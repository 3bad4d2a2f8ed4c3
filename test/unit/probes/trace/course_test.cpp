#include "probes/trace/course.hpp"

#include <functional>
#include <map>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

IpAddress at(std::uint8_t distance) {
  return *IpAddress::parse("10.0.0." + std::to_string(distance));
}

const IpAddress kDestination = at(4);
const TimePoint kStart{1h};

/// A way of routers 10.0.0.1, 10.0.0.2 ..., each of which answers after its distance in
/// milliseconds, and what was asked over it and when.
struct Way {
  using Reply = std::function<std::optional<TraceAnswer>(std::uint8_t distance, TimePoint sent)>;
  struct Sent {
    std::uint8_t distance;
    TimePoint at;
  };

  Reply reply;
  std::vector<Sent> sent{};
  std::vector<std::uint8_t> rounds{};  // how far each went

  // Runs the trace to its end, in steps of a millisecond.
  Findings run(Course course, TimePoint until = kStart + 1h) {
    std::multimap<TimePoint, std::pair<std::size_t, TraceAnswer>> coming;
    for (TimePoint now = kStart; now < until && !course.ended(); now += 1ms) {
      while (!coming.empty() && coming.begin()->first <= now) {
        const auto [probe, answer] = coming.begin()->second;
        coming.erase(coming.begin());
        course.answered(probe, answer);
      }
      if (const auto distance = course.due(now)) {
        const std::size_t probe = course.sent(*distance, now);
        sent.push_back({*distance, now});
        if (*distance == 1) rounds.push_back(0);
        rounds.back() = *distance;
        if (const auto answer = reply(*distance, now))
          coming.emplace(answer->at, std::pair{probe, *answer});
      }
      course.turn(now);
      ended = now;
    }
    return course.findings();
  }
  TimePoint ended{};
};

std::optional<TraceAnswer> hop(std::uint8_t distance, TimePoint sent) {
  return TraceAnswer{at(distance), TraceAnswer::Kind::hop, {}, sent + distance * 1ms};
}
std::optional<TraceAnswer> destination(TimePoint sent) {
  return TraceAnswer{kDestination, TraceAnswer::Kind::destination, {}, sent + 4ms};
}
// Four hops, all of which answer; the last is the destination.
std::optional<TraceAnswer> whole(std::uint8_t distance, TimePoint sent) {
  return distance < 4 ? hop(distance, sent) : destination(sent);
}

Course course(const TraceOptions& options = {}) {
  return {kDestination, options, kStart};
}

}  // namespace

TEST_CASE("a trace names every hop to the destination, with the times of each", "[trace]") {
  Way way{whole};
  const Findings found = way.run(course());
  CHECK(found.ended);
  CHECK(found.reached);
  CHECK_FALSE(found.error);
  REQUIRE(found.hops.size() == 4);
  for (std::uint8_t i = 0; i < 4; i++) {
    const TraceHop& hop = found.hops[i];
    INFO("hop " << i + 1);
    CHECK(hop.distance == i + 1);
    CHECK(hop.sent == 3);
    REQUIRE(hop.answers.size() == 1);
    CHECK(hop.answers[0].from == at(i + 1));
    CHECK(hop.answers[0].count == 3);
    CHECK(hop.answers[0].least == (i + 1) * 1ms);
    CHECK(hop.answers[0].mean == (i + 1) * 1ms);
    CHECK(hop.answers[0].most == (i + 1) * 1ms);
    CHECK_FALSE(hop.answers[0].note);
  }
  // Once it is known how far the destination is, nothing goes beyond it.
  CHECK(way.rounds.size() == 3);
  CHECK(way.rounds[1] == 4);
  CHECK(way.rounds[2] == 4);
}

TEST_CASE("probes of a round go out some milliseconds apart, and rounds a second", "[trace]") {
  Way way{whole};
  way.run(course());
  TimePoint round{};
  for (std::size_t i = 0; i < way.sent.size(); i++) {
    if (i > 0) CHECK(way.sent[i].at - way.sent[i - 1].at >= 10ms);
    if (way.sent[i].distance != 1) continue;
    CHECK(way.sent[i].at - round >= 1s);
    round = way.sent[i].at;
  }
}

TEST_CASE("a trace ends some silent hops beyond the last that answers", "[trace]") {
  Way way{[](std::uint8_t distance, TimePoint sent) {
    return distance <= 2 ? hop(distance, sent) : std::nullopt;
  }};
  const Findings found = way.run(course());
  CHECK(found.ended);
  CHECK_FALSE(found.reached);
  REQUIRE(found.hops.size() == 3);  // one more than answered
  CHECK(found.hops[1].answered() == 3);
  CHECK(found.hops[2].answered() == 0);
  CHECK(found.hops[2].sent == 3);
  for (const std::uint8_t round : way.rounds) CHECK(round == 7);
}

TEST_CASE("silent hops on the way do not end a trace", "[trace]") {
  const auto some = [](std::uint8_t distance, TimePoint sent) {
    return distance == 1 || distance == 4 ? whole(distance, sent) : std::nullopt;
  };
  Way way{some};
  const Findings found = way.run(course());
  CHECK(found.reached);
  REQUIRE(found.hops.size() == 4);
  CHECK(found.hops[1].answers.empty());
  // Two silent hops in a row are as many as this one goes on for.
  Way other{some};
  CHECK_FALSE(other.run(course({.silent_hops = 2})).reached);
}

TEST_CASE("where nothing answers at all, a trace says so soon", "[trace]") {
  Way way{[](std::uint8_t, TimePoint) { return std::nullopt; }};
  const Findings found = way.run(course());
  CHECK_FALSE(found.reached);
  REQUIRE(found.hops.size() == 1);
  CHECK(found.hops[0].sent == 3);
  CHECK(way.ended - kStart < 8s);
}

TEST_CASE("a router that knows no way on ends a trace, and its word is noted", "[trace]") {
  Way way{[](std::uint8_t distance, TimePoint sent) {
    return distance < 3 ? hop(distance, sent)
                        : TraceAnswer{at(2), TraceAnswer::Kind::refusal, "!H", sent + 3s};
  }};
  const Findings found = way.run(course());
  CHECK_FALSE(found.reached);
  REQUIRE(found.hops.size() >= 3);
  REQUIRE_FALSE(found.hops[2].answers.empty());
  CHECK(found.hops[2].answers[0].note == std::string("!H"));
  CHECK(found.hops[2].answers[0].from == at(2));
}

TEST_CASE("the destination's own refusal has reached it", "[trace]") {
  Way way{[](std::uint8_t distance, TimePoint sent) {
    return distance < 4 ? hop(distance, sent)
                        : TraceAnswer{kDestination, TraceAnswer::Kind::refusal, "!X", sent + 4ms};
  }};
  const Findings found = way.run(course());
  CHECK(found.reached);
  REQUIRE(found.hops.size() == 4);
  CHECK(found.hops[3].answers.at(0).note == std::string("!X"));
}

TEST_CASE("several answers at one distance are told apart", "[trace]") {
  int asked = 0;
  Way way{[&](std::uint8_t distance, TimePoint sent) {
    auto answer = whole(distance, sent);
    if (distance == 2 && ++asked % 2 == 0) answer->from = at(102), answer->at = sent + 8ms;
    return answer;
  }};
  const Findings found = way.run(course({.probes = 4}));
  REQUIRE(found.hops.size() == 4);
  REQUIRE(found.hops[1].answers.size() == 2);
  CHECK(found.hops[1].answers[0].count == 2);
  CHECK(found.hops[1].answers[1].count == 2);
  CHECK(found.hops[1].answers[1].from == at(102));
  CHECK(found.hops[1].answers[1].mean == 8ms);
}

TEST_CASE("an answer that comes after its round counts still, a second one to a probe does not",
          "[trace]") {
  Course trace = course({.probes = 2});
  const std::size_t first = trace.sent(1, kStart);
  trace.left(first, kStart + 1ms);
  trace.turn(kStart + 1s);
  trace.answered(first, {at(1), TraceAnswer::Kind::hop, {}, kStart + 1500ms});
  trace.answered(first, {at(1), TraceAnswer::Kind::hop, {}, kStart + 1600ms});
  const Findings found = trace.findings();
  REQUIRE(found.hops.size() == 1);
  CHECK(found.hops[0].answered() == 1);
  CHECK(found.hops[0].answers[0].mean == 1499ms);
}

TEST_CASE("no trace goes farther or lasts longer than it may", "[trace]") {
  // Every router answers, for ever.
  Way way{hop};
  const Findings far = way.run(course({.max_hops = 30}));
  CHECK_FALSE(far.reached);
  CHECK(far.hops.size() == 30);
  Way slow{hop};
  const Findings cut = slow.run(course({.probes = 1000, .total = 5s}));
  CHECK(cut.ended);
  CHECK(slow.ended - kStart <= 5s);
}

TEST_CASE("a trace of the farthest distance that there is ends", "[trace]") {
  Way way{hop};
  const Findings found = way.run(course({.probes = 1, .max_hops = 255, .silent_hops = 255}));
  CHECK(found.ended);
  CHECK(found.hops.size() == 255);
}

TEST_CASE("a trace that fails tells why, and what it found", "[trace]") {
  Course trace = course();
  trace.answered(trace.sent(1, kStart), {at(1), TraceAnswer::Kind::hop, {}, kStart + 1ms});
  trace.fail("canceled");
  CHECK(trace.ended());
  CHECK(trace.findings().error == std::string("canceled"));
  CHECK(trace.findings().hops.size() == 1);
}
