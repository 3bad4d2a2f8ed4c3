#include "core/engine/commit.hpp"

#include <algorithm>
#include <random>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::engine;
using namespace std::chrono_literals;

namespace {

constexpr double kMbit = 1e6;
const TimePoint kStart{1000h};  // where a slot begins

/// Counts whole slots, a reading a minute.
struct Month {
  Commit commit;
  TimePoint at = kStart;

  void slots(int n, double bit_s) {
    for (int i = 0; i < 5 * n; ++i) commit.count(bit_s, 1min, at += 1min);
  }
};

}  // namespace

TEST_CASE("the percentile of the slots is exact", "[engine][commit]") {
  Month month;
  month.commit.set(100 * kMbit);
  std::mt19937 random(7);
  std::vector<float> loads;
  for (int i = 0; i < 1000; ++i) {
    const auto load = static_cast<float>(random() % 200'000'000);
    loads.push_back(load);
    // Exactly one reading a slot, in its middle.
    month.commit.count(load, Commit::kSlot, kStart + i * Commit::kSlot + 1min);
  }
  month.commit.count(0, 1s, kStart + 1000 * Commit::kSlot + 1min);
  std::sort(loads.begin(), loads.end());
  REQUIRE(month.commit.percentile());
  CHECK(*month.commit.percentile() == Approx(loads[949]));
}

TEST_CASE("five percent of the slots may be above the commit", "[engine][commit]") {
  Month month;
  month.commit.set(100 * kMbit);
  month.slots(1, 10 * kMbit);
  CHECK(month.commit.left() == 432);
  month.slots(400, 300 * kMbit);
  CHECK_FALSE(month.commit.spent());
  month.slots(60, 300 * kMbit);
  CHECK(month.commit.spent());

  SECTION("and are free again a month later, not one by one") {
    int turns = 0;
    bool spent = true;
    for (int slot = 0; slot < 9000; ++slot) {
      // As much as it is let: a burst whenever it may.
      month.slots(1, month.commit.spent() ? 90 * kMbit : 300 * kMbit);
      turns += month.commit.spent() != spent;
      spent = month.commit.spent();
    }
    CHECK(turns >= 2);
    CHECK(turns < 60);
    CHECK(*month.commit.percentile() <= 300 * kMbit);
  }
  SECTION("the percentile stays within the commit when a spent one is kept to") {
    month.slots(8700, 90 * kMbit);
    CHECK(*month.commit.percentile() <= 100 * kMbit);
    CHECK_FALSE(month.commit.spent());
    CHECK(month.commit.left() == 432);
  }
}

TEST_CASE("a slot that is surely above counts before it ends", "[engine][commit]") {
  Month month;
  month.commit.set(100 * kMbit);
  month.commit.count(10 * kMbit, 1min, month.at += 1min);
  CHECK(month.commit.left() == 432);
  month.commit.count(600 * kMbit, 1min, month.at += 1min);
  CHECK(month.commit.left() == 431);
}

TEST_CASE("the period survives a restart, and time away counts as nothing", "[engine][commit]") {
  Month month;
  month.commit.set(100 * kMbit);
  month.slots(450, 300 * kMbit);
  month.commit.count(300 * kMbit, 1min, month.at += 1min);
  REQUIRE(month.commit.spent());
  NexthopMemory memory;
  month.commit.remember(memory, month.at);
  CHECK(memory.commit_slots.size() == 451);

  Commit next;
  const TimePoint boot{2h};  // another clock
  SECTION("terms first") {
    next.set(100 * kMbit);
    next.recall(memory, boot);
  }
  SECTION("terms last") {
    next.recall(memory, boot);
    next.set(100 * kMbit);
  }
  CHECK(next.spent());
  CHECK(next.left() == month.commit.left());
  CHECK(*next.percentile() == Approx(*month.commit.percentile()));

  memory.commit_age += 24h * 31;
  next.recall(memory, boot + 24h * 31);
  CHECK_FALSE(next.spent());
  CHECK(next.left() == 432);
}

TEST_CASE("what cannot be remembered is not recalled", "[engine][commit]") {
  Commit commit;
  commit.set(100 * kMbit);
  NexthopMemory memory;
  memory.commit_slots.assign(450, -1.0F);
  commit.recall(memory, kStart);
  CHECK(commit.left() == 432);
  CHECK_FALSE(commit.percentile());
  memory.commit_slots.assign(20'000, 3e8F);  // more than a period
  commit.recall(memory, kStart);
  CHECK(commit.spent());
  memory.commit_age = Duration::max() / 2;
  commit.recall(memory, kStart);
  CHECK(commit.left() == 432);
  commit.set(std::nan(""));
  CHECK_FALSE(commit.bit_s());
}
