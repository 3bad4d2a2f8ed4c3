#include "probes/schedule/budget.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "probes/schedule/stream.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000s};

double rate(const Demand& demand, const Paces& paces) {
  return static_cast<double>(demand.usual) * rate_of(paces.usual) +
         static_cast<double>(demand.suspicious) * rate_of(paces.suspicious);
}

Options with_budget(double budget) {
  Options options;
  options.budget = budget;
  return options;
}

}  // namespace

TEST_CASE("a pace counts with its jitter", "[budget]") {
  CHECK(rate_of(200ms) == Approx(1 / 0.175));
}

TEST_CASE("what is within the budget is not stretched", "[budget]") {
  const Options options = with_budget(1000);
  const Paces paces = share(options, {100, 10});
  CHECK(paces.usual == options.interval);
  CHECK(paces.suspicious == options.suspicious_interval);
}

TEST_CASE("usual paces stretch before suspicious ones", "[budget]") {
  const Options options = with_budget(500);
  const Demand demand{100, 10};  // 571 and 229 a second
  const Paces paces = share(options, demand);
  CHECK(paces.suspicious == options.suspicious_interval);
  CHECK(paces.usual > options.interval);
  CHECK(rate(demand, paces) == Approx(500));
}

TEST_CASE("suspicious paces stretch when usual ones are at a probe in five seconds", "[budget]") {
  const Options options = with_budget(100);
  const Demand demand{100, 10};
  const Paces paces = share(options, demand);
  CHECK(seconds(paces.usual) == Approx(5));
  CHECK(paces.suspicious > options.suspicious_interval);
  CHECK(rate(demand, paces) == Approx(100));
}

TEST_CASE("no stream is slower than a probe in five seconds, whatever the budget", "[budget]") {
  const Paces paces = share(with_budget(1), {1000, 1000});
  CHECK(seconds(paces.usual) == Approx(5));
  CHECK(seconds(paces.suspicious) == Approx(5));
}

TEST_CASE("an interval that is configured longer than that stays as it is", "[budget]") {
  Options options = with_budget(1);
  options.interval = 30s;
  CHECK(share(options, {1000, 0}).usual == 30s);
}

TEST_CASE("for all demands the budget is kept, in order, and used up", "[budget]") {
  std::minstd_rand chance(7);
  for (int i = 0; i < 20000; i++) {
    Options options = with_budget(1 + static_cast<double>(chance() % 30000));
    options.interval = std::chrono::milliseconds(1 + chance() % 1000);
    options.suspicious_interval = std::chrono::milliseconds(1 + chance() % 100);
    const Demand demand{chance() % 3000, chance() % 3000};
    const Paces paces = share(options, demand);
    const bool usual_stretched = paces.usual > options.interval;
    const bool suspicious_stretched = paces.suspicious > options.suspicious_interval;
    const bool usual_at_floor = demand.usual == 0 || paces.usual >= kSlowestPace - 1us;
    const bool suspicious_at_floor =
        demand.suspicious == 0 || paces.suspicious >= kSlowestPace - 1us;
    REQUIRE(paces.usual >= options.interval);
    REQUIRE(paces.suspicious >= options.suspicious_interval);
    REQUIRE(paces.usual <= kSlowestPace);
    REQUIRE(paces.suspicious <= kSlowestPace);
    if (suspicious_stretched) REQUIRE(usual_at_floor);
    if (!(usual_at_floor && suspicious_at_floor))
      REQUIRE(rate(demand, paces) <= options.budget * 1.001);
    if (usual_stretched && !usual_at_floor) REQUIRE(rate(demand, paces) >= options.budget * 0.999);
  }
}

TEST_CASE("counts that change one by one come to what they say together", "[budget]") {
  Options options = with_budget(300);
  Budget budget(options, kStart);
  for (int i = 0; i < 100; i++) budget.change({}, {1, 0});
  for (int i = 0; i < 10; i++) budget.change({1, 0}, {0, 1});
  const Paces expected = share(options, {90, 10});
  CHECK(budget.paces().usual == expected.usual);
  CHECK(budget.paces().suspicious == expected.suspicious);
  CHECK(budget.wanted() == Approx(90 * rate_of(200ms) + 10 * rate_of(50ms)));
  CHECK(budget.granted() == Approx(300));
}

TEST_CASE("a burst beyond the budget is held back, and its pace is not", "[budget]") {
  Options options = with_budget(1000);
  Budget budget(options, kStart);
  int at_once = 0;
  while (budget.spend(kStart + 1h)) at_once++;
  CHECK(at_once < 200);
  int in_a_second = 0;
  for (auto now = kStart + 1h; now < kStart + 1h + 1s; now += 1ms)
    if (budget.spend(now)) in_a_second++;
  CHECK(in_a_second >= 990);
}

namespace {

// Many streams under one budget, all answered at once; time is a number.
struct Fleet {
  Fleet(const Options& options, std::size_t size) : pacing{options}, budget(options, kStart) {
    for (std::size_t i = 0; i < size; i++) {
      members.push_back({std::make_unique<Stream>(pacing, now)});
      members.back().stream->set_ready(true, now);
      budget.change({}, {1, 0});
    }
    pacing.paces = budget.paces();
  }

  void set_suspicious(bool suspicious) {
    for (Member& member : members) member.stream->set_suspicious(suspicious, now);
  }
  // How many probes were sent.
  std::size_t run(Duration time) {
    std::size_t sent = 0;
    for (const TimePoint end = now + time; now < end; now += 1ms) {
      for (Member& member : members) sent += attend(member);
      if (budget.loosened(now))
        for (Member& member : members) member.stream->repace();
    }
    return sent;
  }

  struct Member {
    std::unique_ptr<Stream> stream;
    bool counted_fast = false;
  };
  bool attend(Member& member) {
    Stream& stream = *member.stream;
    if (stream.next_send() > now) return false;
    if (!budget.spend(now)) {
      stream.postpone(now + 10ms);
      return false;
    }
    const auto sequence = stream.sequence();
    stream.sent(now, unit(random));
    (void)stream.reply(sequence, {now + 100us});
    if (stream.fast() == member.counted_fast) return true;
    const auto demand = [](bool fast) { return fast ? Demand{0, 1} : Demand{1, 0}; };
    budget.change(demand(member.counted_fast), demand(stream.fast()));
    member.counted_fast = stream.fast();
    pacing.paces = budget.paces();
    return true;
  }

  Pacing pacing;
  Budget budget;
  TimePoint now = kStart;
  std::vector<Member> members;
  std::mt19937 random{1};
  std::uniform_real_distribution<> unit;
};

}  // namespace

TEST_CASE("all at once suspicious, and then no more: the rate keeps to the budget", "[budget]") {
  Fleet fleet(with_budget(1000), 1000);  // 5,714 and 22,857 a second
  fleet.run(5s);
  for (const bool suspicious : {true, false, true, false}) {
    fleet.set_suspicious(suspicious);
    INFO((suspicious ? "suspicious" : "calm"));
    for (int second = 0; second < 8; second++) {
      const auto sent = fleet.run(1s);
      INFO("second " << second << ": " << sent);
      CHECK(sent >= 700);
      CHECK(sent <= 1200);
    }
  }
}

TEST_CASE("streams are paced anew when there is room again, and not often", "[budget]") {
  Budget budget(with_budget(1000), kStart);
  budget.change({}, {100, 0});
  CHECK_FALSE(budget.loosened(kStart + 1s));
  budget.change({}, {0, 100});
  CHECK_FALSE(budget.loosened(kStart + 2s));
  budget.change({0, 100}, {});
  CHECK_FALSE(budget.loosened(kStart + 10ms));
  CHECK(budget.loosened(kStart + 3s));
  CHECK_FALSE(budget.loosened(kStart + 4s));
}
