#include "probes/schedule/stream.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000s};

// A stream that sends when it is due and hears what the test tells it.
struct Rig {
  Options options;
  TimePoint now = kStart;
  Stream stream{options, now};

  explicit Rig(const Options& o = {}) : options(o) {}
  void ready() { stream.set_ready(true, now); }

  std::uint32_t send() {
    now = std::max(now, stream.next_send());
    const std::uint32_t sequence = stream.sequence();
    stream.sent(now, 0.5);
    return sequence;
  }
  std::optional<Verdict> answer(std::uint32_t sequence, Duration after) {
    now += after;
    return stream.reply(sequence, now);
  }
  void converse(int times, Duration rtt) {
    for (int i = 0; i < times; i++) REQUIRE(answer(send(), rtt));
  }
};

}  // namespace

TEST_CASE("a reply in time tells its round trip", "[stream]") {
  Rig rig;
  rig.ready();
  const auto verdict = rig.answer(rig.send(), 20ms);
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::reply);
  CHECK(verdict->sent == kStart);
  CHECK(verdict->rtt == 20ms);
  CHECK_FALSE(rig.stream.overdue(kStart + 1h));
}

TEST_CASE("a probe is lost at its deadline and not before", "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(50, 20ms);
  rig.send();
  const TimePoint deadline = rig.now + 100ms;
  CHECK(rig.stream.due() == deadline);
  CHECK_FALSE(rig.stream.overdue(deadline - 1ns));
  const auto verdict = rig.stream.overdue(deadline);
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::lost);
  CHECK(verdict->sent == rig.now);
  CHECK_FALSE(rig.stream.overdue(deadline + 1h));
  CHECK(rig.stream.counters().lost == 1);
}

TEST_CASE("the first probe has the longest timeout", "[stream]") {
  Rig rig;
  rig.ready();
  rig.send();
  CHECK_FALSE(rig.stream.overdue(kStart + 1s - 1ns));
  CHECK(rig.stream.overdue(kStart + 1s));
}

TEST_CASE("a late reply takes its loss back, once", "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(10, 20ms);
  const auto sequence = rig.send();
  REQUIRE(rig.stream.overdue(rig.now + 100ms));
  const auto verdict = rig.answer(sequence, 300ms);
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::late);
  CHECK(verdict->rtt == 300ms);
  CHECK_FALSE(rig.answer(sequence, 1ms));
  CHECK(rig.stream.counters().late == 1);
  CHECK(rig.stream.counters().lost == 1);
  CHECK(rig.stream.counters().duplicate == 1);
}

TEST_CASE("late replies teach the timeout, so a path that became long is heard again", "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(20, 5ms);
  int in_time = 0;
  for (int i = 0; i < 20; i++) {
    const auto sequence = rig.send();
    while (rig.stream.overdue(rig.now + 300ms - 1ns)) {
    }
    const auto verdict = rig.answer(sequence, 300ms);
    REQUIRE(verdict);
    in_time = verdict->outcome == Outcome::reply ? in_time + 1 : 0;
  }
  CHECK(in_time >= 10);
}

TEST_CASE("a reply beyond late_within tells nothing", "[stream]") {
  Rig rig;
  rig.ready();
  const auto sequence = rig.send();
  REQUIRE(rig.stream.overdue(rig.now + 2s));
  CHECK_FALSE(rig.answer(sequence, rig.options.late_within + 1ns));
  CHECK(rig.stream.counters().late == 0);
}

TEST_CASE("a reply is remembered through late_within at the fastest pace", "[stream]") {
  Rig rig;
  rig.ready();
  rig.stream.set_suspicious(true, rig.now);
  const auto first = rig.send();
  const TimePoint end = kStart + rig.options.late_within;
  while (rig.stream.next_send() < end) {
    rig.send();
    while (rig.stream.overdue(rig.now)) {
    }
  }
  const auto verdict = rig.stream.reply(first, end);
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::late);
}

TEST_CASE("a reply to a probe that was never sent tells nothing", "[stream]") {
  Rig rig;
  rig.ready();
  rig.send();
  for (std::uint32_t sequence : {1U, 256U, 512U, 0xffffffffU})
    CHECK_FALSE(rig.stream.reply(sequence, rig.now + 1ms));
  CHECK(rig.stream.counters().duplicate == 0);
}

TEST_CASE("a loss is followed up at once, then at the suspicious pace, then calm returns",
          "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(20, 20ms);
  rig.send();
  const TimePoint lost_at = rig.now + 100ms;
  REQUIRE(rig.stream.overdue(lost_at));
  CHECK(rig.stream.suspicious(lost_at));
  CHECK(rig.stream.next_send() == lost_at);
  rig.send();
  CHECK(rig.stream.next_send() - rig.now <= rig.options.suspicious_interval);
  const TimePoint before = rig.stream.next_send();
  REQUIRE(rig.stream.overdue(rig.now + 100ms));
  CHECK(rig.stream.next_send() == before);  // a second loss does not double the pace

  const TimePoint calm = rig.now + 100ms + rig.options.suspicious_for;
  while (rig.now < calm) rig.answer(rig.send(), 20ms);
  CHECK_FALSE(rig.stream.suspicious(rig.now));
  rig.send();
  CHECK(rig.stream.next_send() - rig.now >= rig.options.interval * 3 / 4);
}

TEST_CASE("a step in delay makes a stream suspicious", "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(50, 20ms);
  REQUIRE_FALSE(rig.stream.suspicious(rig.now));
  REQUIRE(rig.answer(rig.send(), 40ms));
  CHECK(rig.stream.suspicious(rig.now));
  CHECK(rig.stream.next_send() <= rig.now + rig.options.suspicious_interval);
}

TEST_CASE("a held suspicion lasts until it is lifted", "[stream]") {
  Rig rig;
  rig.ready();
  rig.stream.set_suspicious(true, rig.now);
  CHECK(rig.stream.suspicious(rig.now + 1h));
  rig.stream.set_suspicious(false, rig.now);
  CHECK_FALSE(rig.stream.suspicious(rig.now));
}

TEST_CASE("while not ready, probes go out at the usual pace and tell nothing", "[stream]") {
  Rig rig;
  const auto sequence = rig.send();
  CHECK(rig.stream.next_send() - rig.now >= rig.options.interval * 3 / 4);
  CHECK_FALSE(rig.answer(sequence, 1ms));
  CHECK_FALSE(rig.stream.overdue(rig.now + 1h));
  CHECK(rig.stream.counters().sent == 0);
}

TEST_CASE("probes that are out when readiness changes become void", "[stream]") {
  const bool comes_back = GENERATE(false, true);
  Rig rig;
  rig.ready();
  const auto sequence = rig.send();
  rig.stream.set_ready(false, rig.now);
  if (comes_back) rig.ready();
  CHECK_FALSE(rig.stream.overdue(rig.now + 1h));
  CHECK_FALSE(rig.answer(sequence, 1ms));
}

TEST_CASE("a stall of this host lengthens deadlines by as much", "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(20, 20ms);
  const auto sequence = rig.send();
  rig.stream.forgive(400ms);
  CHECK_FALSE(rig.stream.overdue(rig.now + 500ms - 1ns));
  SECTION("so a reply after it is in time, with its true round trip") {
    const auto verdict = rig.answer(sequence, 450ms);
    REQUIRE(verdict);
    CHECK(verdict->outcome == Outcome::reply);
    CHECK(verdict->rtt == 450ms);
  }
  SECTION("and no longer") {
    CHECK(rig.stream.overdue(rig.now + 500ms));
  }
}

TEST_CASE("a probe that could not be sent is no loss", "[stream]") {
  Rig rig;
  rig.ready();
  rig.stream.unsent(rig.now, 0.5);
  CHECK_FALSE(rig.stream.overdue(rig.now + 1h));
  CHECK(rig.stream.next_send() > rig.now);
  CHECK(rig.stream.counters().unsent == 1);
  CHECK(rig.stream.counters().sent == 0);
}

TEST_CASE("probes of one stream are judged in the order of sending", "[stream]") {
  Options options;
  options.interval = 40ms;
  Rig rig(options);
  rig.stream = Stream(options, kStart);
  rig.ready();
  rig.converse(20, 5ms);
  const auto a = rig.send(), b = rig.send(), c = rig.send();
  const TimePoint c_sent = rig.now;
  REQUIRE(rig.stream.reply(b, rig.now));
  (void)a;
  std::vector<TimePoint> lost;
  while (const auto verdict = rig.stream.overdue(c_sent + 10s)) lost.push_back(verdict->sent);
  REQUIRE(lost.size() == 2);
  CHECK(lost[0] < lost[1]);
  CHECK(lost[1] == c_sent);
  CHECK(rig.stream.reply(c, c_sent + 10s)->outcome == Outcome::late);
}
