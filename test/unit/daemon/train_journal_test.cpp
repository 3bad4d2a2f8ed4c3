#include "core/daemon/train_journal.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1h};
const NexthopId kA{1}, kB{2}, kC{3};
const TrainJournal::Terms kTerms{10min, 44'800};

using Candidates = std::vector<TrainJournal::Candidate>;

probes::Dispersion measured(double bit_s) {
  return {.fault = probes::TrainFault::none, .bit_s = bit_s};
}

const probes::Dispersion kLost{.fault = probes::TrainFault::lost};

/// One train now, whole.
void send(TrainJournal& journal, NexthopId id, TimePoint now,
          const Result<probes::Dispersion>& told = measured(50e6)) {
  journal.end(journal.begin(id, kTerms.bytes, now), told, now + 1s);
}

/// When the next is due, to the second; nothing within a day.
std::optional<Duration> due_after(const TrainJournal& journal, const Candidates& candidates,
                                  TimePoint from) {
  for (Duration wait{}; wait < 24h; wait += 1s)
    if (journal.due(candidates, kTerms, from + wait)) return wait;
  return std::nullopt;
}

}  // namespace

TEST_CASE("a nexthop has a train at once, and then one in each pause", "[daemon][train]") {
  TrainJournal journal;
  CHECK(journal.due(Candidates{}, kTerms, kStart) == std::nullopt);
  CHECK(journal.due(Candidates{{kA}}, kTerms, kStart) == kA);
  send(journal, kA, kStart);
  CHECK(due_after(journal, {{kA}}, kStart) == 10min);
  // Nobody else waits for it; of those overdue the longest goes first.
  CHECK(journal.due(Candidates{{kA}, {kB}}, kTerms, kStart + 2s) == kB);
  send(journal, kB, kStart + 2s);
  CHECK(journal.due(Candidates{{kB}, {kA}}, kTerms, kStart + 11min) == kA);
}

TEST_CASE("one train is under way at a time", "[daemon][train]") {
  TrainJournal journal;
  const auto train = journal.begin(kA, kTerms.bytes, kStart);
  CHECK_FALSE(journal.due(Candidates{{kB}}, kTerms, kStart + 5s));
  journal.end(train + 1, kLost, kStart + 5s);  // not the one
  CHECK_FALSE(journal.due(Candidates{{kB}}, kTerms, kStart + 5s));
  journal.end(train, kLost, kStart + 5s);
  CHECK(journal.due(Candidates{{kB}}, kTerms, kStart + 5s) == kB);
}

TEST_CASE("all trains together send no more than a megabyte in any minute", "[daemon][train]") {
  TrainJournal journal;
  Candidates all;
  for (std::uint32_t id = 1; id <= 500; ++id) all.push_back({NexthopId{id}});
  std::vector<TimePoint> sent;
  for (TimePoint now = kStart; now < kStart + 20min; now += 1s)
    if (const auto id = journal.due(all, kTerms, now)) {
      send(journal, *id, now);
      sent.push_back(now);
    }
  CHECK(sent.size() > 400);  // it is used
  for (const TimePoint from : sent) {
    const auto within = std::count_if(sent.begin(), sent.end(),
                                      [&](TimePoint at) { return at >= from && at < from + 1min; });
    REQUIRE(static_cast<std::uint64_t>(within) * kTerms.bytes <= TrainJournal::kBytesAMinute);
  }
}

TEST_CASE("trains take no more than a thousandth of a line", "[daemon][train]") {
  TrainJournal journal;
  // 44,800 bytes are a thousandth of what 100 kbit/s carry in 3584 s.
  const TrainJournal::Candidate slow{kA, 100'000};
  send(journal, kA, kStart, measured(90e6));
  CHECK(due_after(journal, {slow}, kStart) == 3584s);
  CHECK(due_after(journal, {{kA, 1'000'000'000}}, kStart) == 10min);
  // Where nobody says, what trains have shown counts: 200 kbit/s.
  for (int i = 0; i < 3; ++i) send(journal, kB, kStart, measured(200e3));
  CHECK(due_after(journal, {{kB}}, kStart) == 1792s);
}

TEST_CASE("a nexthop whose trains tell nothing is asked ever more seldom", "[daemon][train]") {
  TrainJournal journal;
  TimePoint now = kStart;
  for (const Duration pause : {20min, 40min, 80min, 160min, 160min}) {
    send(journal, kA, now, kLost);
    CHECK(due_after(journal, {{kA}}, now) == pause);
    now += pause;
  }
  send(journal, kA, now, Error{"no rule"});
  CHECK(due_after(journal, {{kA}}, now) == 160min);
  send(journal, kA, now + 160min);
  CHECK(due_after(journal, {{kA}}, now + 160min) == 10min);
  CHECK(journal.results(kA) ==
        std::map<std::string, std::uint64_t>{{"lost", 5}, {"measured", 1}, {"unsent", 1}});
}

TEST_CASE("trains make a lower bound, which goes with the nexthop", "[daemon][train]") {
  TrainJournal journal;
  send(journal, kA, kStart, measured(48e6));
  send(journal, kA, kStart, kLost);
  send(journal, kA, kStart, measured(50e6));
  CHECK_FALSE(journal.bandwidth(kA));
  send(journal, kA, kStart, measured(900e6));
  const auto shown = journal.bandwidth(kA);
  REQUIRE(shown);
  CHECK((shown->method == BandwidthMethod::train));
  CHECK_FALSE(shown->exact());
  CHECK(shown->bit_s == 50'000'000);
  CHECK_FALSE(journal.bandwidth(kB));

  // Gone with a train under way: what that one tells is nobody's, and the next may go.
  const auto train = journal.begin(kA, kTerms.bytes, kStart + 1h);
  journal.forget(kA);
  journal.end(train, measured(1e6), kStart + 1h);
  CHECK_FALSE(journal.bandwidth(kA));
  CHECK(journal.results(kA).empty());
  CHECK(journal.due(Candidates{{kC}}, kTerms, kStart + 1h + 1s) == kC);
}
