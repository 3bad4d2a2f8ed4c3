#include "probes/schedule/stream.hpp"

#include <random>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000s};

// A stream that sends when it is due and hears what the test tells it.
struct Rig {
  Options options;
  Pacing pacing{options};
  TimePoint now = kStart;
  Stream stream{pacing, now};

  explicit Rig(const Options& o = {}) : options(o) {}
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;
  void ready() { stream.set_ready(true, now); }

  std::uint32_t send() {
    now = std::max(now, stream.next_send());
    const std::uint32_t sequence = stream.sequence();
    stream.sent(now, 0.5);
    return sequence;
  }
  std::optional<Verdict> answer(std::uint32_t sequence, Duration after) {
    now += after;
    return stream.reply(sequence, {now});
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
  const auto verdict = rig.stream.reply(first, {end});
  REQUIRE(verdict);
  CHECK(verdict->outcome == Outcome::late);
}

TEST_CASE("a reply to a probe that was never sent tells nothing", "[stream]") {
  Rig rig;
  rig.ready();
  rig.send();
  for (std::uint32_t sequence : {1U, 256U, 512U, 0xffffffffU})
    CHECK_FALSE(rig.stream.reply(sequence, {rig.now + 1ms}));
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

TEST_CASE("an anchor that is silent for long is asked at the usual pace again", "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(50, 20ms);
  const TimePoint silent = rig.now;
  const auto lose_until = [&rig](TimePoint end) {
    while (rig.now < end) {
      rig.send();
      while (rig.stream.overdue(rig.now)) continue;
    }
  };
  lose_until(silent + 25s);
  CHECK(rig.stream.suspicious(rig.now));
  lose_until(silent + 40s);
  CHECK_FALSE(rig.stream.suspicious(rig.now));
  // Heard again, its next loss is urgent again.
  rig.converse(10, 20ms);
  rig.send();
  rig.now += rig.options.max_timeout;
  REQUIRE(rig.stream.overdue(rig.now));
  CHECK(rig.stream.suspicious(rig.now));
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
  rig.ready();
  rig.converse(20, 5ms);
  const auto a = rig.send(), b = rig.send(), c = rig.send();
  const TimePoint c_sent = rig.now;
  REQUIRE(rig.stream.reply(b, {rig.now}));
  (void)a;
  std::vector<TimePoint> lost;
  while (const auto verdict = rig.stream.overdue(c_sent + 10s)) lost.push_back(verdict->sent);
  REQUIRE(lost.size() == 2);
  CHECK(lost[0] < lost[1]);
  CHECK(lost[1] == c_sent);
  CHECK(rig.stream.reply(c, {c_sent + 10s})->outcome == Outcome::late);
}

// --- what the interface says ---------------------------------------------------------------------

TEST_CASE("a round trip between two stamps of the kernel has the wait in the queue in it",
          "[stream]") {
  Rig rig;
  rig.ready();
  const auto sequence = rig.send();
  rig.stream.left(sequence, {rig.now + 7ms, 5ms, Egress::Proof::proved});
  const auto verdict = rig.stream.reply(sequence, {rig.now + 20ms, TimestampSource::kernel});
  REQUIRE(verdict);
  CHECK(verdict->source == TimestampSource::kernel);
  CHECK(verdict->sent == rig.now + 2ms);
  CHECK(verdict->rtt == 18ms);
  CHECK(verdict->queued == 5ms);
  CHECK(rig.stream.counters().proved == 1);
  CHECK(rig.stream.counters().kernel_stamped == 1);
}

TEST_CASE("with one stamp of our own the source is the user", "[stream]") {
  Rig rig;
  rig.ready();
  const auto a = rig.send();
  CHECK(rig.stream.reply(a, {rig.now + 20ms, TimestampSource::kernel})->source ==
        TimestampSource::user);
  const auto b = rig.send();
  rig.stream.left(b, {rig.now});
  CHECK(rig.stream.reply(b, {rig.now + 20ms})->source == TimestampSource::user);
  CHECK(rig.stream.counters().kernel_stamped == 0);
}

TEST_CASE("the anchor's own time is taken off where it can be true", "[stream]") {
  Rig rig;
  rig.ready();
  const auto rtt = [&](Duration turnaround) {
    const auto sequence = rig.send();
    return rig.stream.reply(sequence, {rig.now + 20ms, TimestampSource::user, turnaround})->rtt;
  };
  CHECK(rtt(4ms) == 16ms);
  CHECK(rtt(21ms) == 20ms);
  CHECK(rtt(-4ms) == 20ms);
}

TEST_CASE("a probe that never left an interface that confirms is void, not lost", "[stream]") {
  Rig rig;
  rig.ready();
  const auto first = rig.send();
  rig.stream.left(first, {rig.now});
  REQUIRE(rig.answer(first, 20ms));
  const auto kept = rig.send();
  CHECK_FALSE(rig.stream.overdue(rig.now + 10s));
  CHECK(rig.stream.counters().voids[static_cast<std::size_t>(Void::not_left)] == 1);
  CHECK(rig.stream.counters().lost == 0);
  CHECK_FALSE(rig.stream.suspicious(rig.now + 10s));
  CHECK_FALSE(rig.answer(kept, 11s));
  CHECK(rig.stream.counters().stale == 1);
}

TEST_CASE("a probe that left and is not answered is lost", "[stream]") {
  Rig rig;
  rig.ready();
  rig.stream.left(rig.send(), {rig.now});
  CHECK(rig.stream.overdue(rig.now + 10s));
}

TEST_CASE("an interface that ceases to confirm is believed no longer", "[stream]") {
  Rig rig;
  rig.ready();
  const auto first = rig.send();
  rig.stream.left(first, {rig.now});
  REQUIRE(rig.answer(first, 20ms));
  REQUIRE(rig.answer(rig.send(), 20ms));  // answered, so it left
  rig.send();
  CHECK(rig.stream.overdue(rig.now + 10s));
}

TEST_CASE("where nothing leaves any more, probes are lost", "[stream]") {
  Rig rig;
  rig.ready();
  for (int i = 0; i < 20; i++) {
    const auto sequence = rig.send();
    rig.stream.left(sequence, {rig.now});
    REQUIRE(rig.answer(sequence, 20ms));
  }
  const TimePoint stands_still = rig.now;
  std::optional<Verdict> lost;
  while (!lost && rig.now < stands_still + 10s) {
    rig.send();
    lost = rig.stream.overdue(rig.now);
  }
  REQUIRE(lost);
  CHECK(lost->sent >= stands_still + 2s);
  CHECK(lost->sent < stands_still + 3s);
  CHECK(rig.stream.counters().voids[static_cast<std::size_t>(Void::not_left)] >= 8);
  // What waited in a queue goes out in the end, is answered, and no loss any more.
  const auto last = rig.stream.sequence() - 1;
  while (rig.stream.overdue(rig.now + 1s)) {
  }
  rig.now += 1s;
  rig.stream.left(last, {rig.now, 1s});
  const auto late = rig.answer(last, 20ms);
  REQUIRE(late);
  CHECK(late->outcome == Outcome::late);
  // And it is believed again.
  CHECK(rig.stream.confirmed());
  rig.send();
  CHECK_FALSE(rig.stream.overdue(rig.now + 10s));
}

TEST_CASE("an interface that drops some of its probes for long is this host's business",
          "[stream]") {
  Rig rig;
  rig.ready();
  for (int i = 0; i < 200; i++) {
    const auto sequence = rig.send();
    while (const auto verdict = rig.stream.overdue(rig.now)) FAIL("lost");
    if (i % 8 != 0) continue;
    rig.stream.left(sequence, {rig.now});
    REQUIRE(rig.answer(sequence, 20ms));
  }
}

TEST_CASE("a probe that left by another way is void, and so is its reply", "[stream]") {
  Rig rig;
  rig.ready();
  const auto sequence = rig.send();
  rig.stream.left(sequence, {rig.now, {}, Egress::Proof::strayed});
  CHECK_FALSE(rig.answer(sequence, 20ms));
  CHECK_FALSE(rig.stream.overdue(rig.now + 10s));
  CHECK(rig.stream.counters().voids[static_cast<std::size_t>(Void::strayed)] == 1);
  CHECK(rig.stream.counters().stale == 1);
  CHECK(rig.stream.counters().proved == 0);
}

TEST_CASE("what is void is counted by its reason, once", "[stream]") {
  Rig rig;
  rig.ready();
  for (int i = 0; i < 3; i++) rig.send();
  rig.stream.void_outstanding(Void::rules);
  rig.stream.void_outstanding(Void::overflow);
  rig.send();
  rig.stream.void_outstanding(Void::overflow);
  const auto& voids = rig.stream.counters().voids;
  CHECK(voids[static_cast<std::size_t>(Void::rules)] == 3);
  CHECK(voids[static_cast<std::size_t>(Void::overflow)] == 1);
}

TEST_CASE("a reply to a probe that is still to come is forged", "[stream]") {
  Rig rig;
  rig.ready();
  rig.send();
  CHECK_FALSE(rig.stream.reply(1, {rig.now}));
  CHECK_FALSE(rig.stream.reply(77, {rig.now}));
  CHECK(rig.stream.counters().forged == 2);
}

// --- the ring ------------------------------------------------------------------------------------

TEST_CASE("a stream that is answered remembers little, one that is not as much as it must",
          "[stream]") {
  Rig rig;
  rig.ready();
  rig.converse(1000, 20ms);
  CHECK(rig.stream.remembered() == 16);
  rig.stream.set_suspicious(true, rig.now);
  for (int i = 0; i < 1000; i++) {
    rig.send();
    while (rig.stream.overdue(rig.now)) {
    }
  }
  CHECK(rig.stream.remembered() >= 200);  // 10 s at 50 ms
  CHECK(rig.stream.remembered() <= 512);
}

TEST_CASE("every probe is answered, lost or void in the end, whatever happens", "[stream]") {
  Options options;
  options.interval = 7ms;
  Rig rig(options);
  rig.ready();
  std::minstd_rand chance(42);
  std::vector<std::uint32_t> out;
  std::uint64_t lost = 0, late = 0, replies = 0;
  const auto hear = [&](std::uint32_t sequence) {
    const auto verdict = rig.stream.reply(sequence, {rig.now});
    if (verdict) (verdict->outcome == Outcome::late ? late : replies)++;
  };
  for (int i = 0; i < 20000; i++) {
    out.push_back(rig.send());
    if (chance() % 4 != 0) rig.stream.left(out.back(), {rig.now, 1us, Egress::Proof::proved});
    if (chance() % 8 != 0)
      hear(out[out.size() - 1 - chance() % std::min<std::size_t>(out.size(), 64)]);
    if (chance() % 500 == 0) rig.stream.void_outstanding(Void::overflow);
    if (chance() % 900 == 0) rig.stream.forgive(30ms);
    while (rig.stream.overdue(rig.now)) lost++;
  }
  while (rig.stream.overdue(rig.now + 1h)) lost++;
  const auto& c = rig.stream.counters();
  CHECK(c.sent == 20000);
  CHECK(c.lost == lost);
  CHECK(c.late == late);
  CHECK(c.received == replies);
  std::uint64_t voids = 0;
  for (const auto v : c.voids) voids += v;
  CHECK(c.received + c.lost + voids == c.sent);
  CHECK(c.lost > 0);
  CHECK(c.late > 0);
}

// --- pinned flows --------------------------------------------------------------------------------

TEST_CASE("probes take turns in the pinned flows, and each flow is judged by itself", "[stream]") {
  Options options;
  options.flows = 3;
  Rig rig(options);
  rig.ready();
  for (int i = 0; i < 30; i++) {
    CHECK(rig.stream.flow() == i % 3);
    const auto sequence = rig.send();
    if (i % 3 == 2) continue;  // the third loses all
    const auto verdict = rig.answer(sequence, i % 3 == 0 ? 10ms : 30ms);
    REQUIRE(verdict);
    CHECK(verdict->flow == i % 3);
  }
  while (const auto lost = rig.stream.overdue(rig.now + 10s)) CHECK(lost->flow == 2);
  const auto& flows = rig.stream.flows();
  REQUIRE(flows.size() == 3);
  for (const auto& flow : flows) CHECK(flow.sent == 10);
  CHECK(flows[0].rtt == 10ms);
  CHECK(flows[1].rtt == 30ms);
  CHECK_FALSE(flows[2].rtt);
  CHECK(flows[0].lost == 0);
  CHECK(flows[2].lost == 10);
}

// --- the pace ------------------------------------------------------------------------------------

TEST_CASE("a stream keeps the pace that the budget leaves", "[stream]") {
  Rig rig;
  rig.pacing.paces.usual = 2s;
  rig.ready();
  rig.send();
  CHECK(rig.stream.next_send() == rig.now + 1750ms);
  CHECK_FALSE(rig.stream.fast());
  rig.stream.set_suspicious(true, rig.now);
  rig.send();
  CHECK(rig.stream.fast());
  CHECK(rig.stream.next_send() - rig.now <= rig.options.suspicious_interval);
}

TEST_CASE("a tick of the wheel does not slow the pace down, a longer wait makes no burst",
          "[stream]") {
  Rig rig;
  rig.send();
  const TimePoint due = rig.stream.next_send();
  rig.stream.sent(due + 1ms, 0.5);
  CHECK(rig.stream.next_send() == due + 175ms);
  const TimePoint missed = rig.stream.next_send();
  rig.stream.sent(missed + 1s, 0.5);
  CHECK(rig.stream.next_send() == missed + 1s + 175ms);
}

TEST_CASE("of probes that were out when this host dropped replies nothing is said", "[stream]") {
  Rig rig;
  rig.ready();
  rig.send();
  const TimePoint dropped = rig.now + 1ms;
  rig.send();
  const auto lost = rig.stream.overdue(rig.now + 10s, dropped);
  REQUIRE(lost);
  CHECK(lost->sent == rig.now);
  CHECK(rig.stream.counters().lost == 1);
  CHECK(rig.stream.counters().voids[static_cast<std::size_t>(Void::overflow)] == 1);
}

TEST_CASE("a departure without a time proves all the same", "[stream]") {
  Rig rig;
  rig.ready();
  const auto sequence = rig.send();
  rig.stream.left(sequence, {{}, {}, Egress::Proof::proved});
  const auto verdict = rig.stream.reply(sequence, {rig.now + 20ms, TimestampSource::kernel});
  REQUIRE(verdict);
  CHECK(verdict->rtt == 20ms);
  CHECK(verdict->source == TimestampSource::user);
  CHECK(rig.stream.counters().proved == 1);
}
