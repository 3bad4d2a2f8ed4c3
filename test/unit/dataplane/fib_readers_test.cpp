// Lookups while the tables change, as packets do them: each finds the group from before the change
// that is under way, or that from after it.
#include <algorithm>
#include <atomic>
#include <thread>

#include "test/unit/dataplane/fib_world.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::RouteTable;

namespace {

// What a lookup of each address may find now, and how many changes have begun.
struct Allowed {
  struct Groups {
    std::uint16_t before, after;
  };
  std::vector<IpAddress> addresses;
  std::vector<std::atomic<Groups>> groups;
  std::atomic<std::uint64_t> changes{0};

  Allowed(CrowdedSpace& space, std::size_t count) : groups(count) {
    for (std::size_t i = 0; i < count; ++i) addresses.push_back(space.address());
  }
  void begin(const Prefix& changed, const NaiveMatcher& naive) {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const std::uint16_t now = groups[i].load().after;
      groups[i] = {now, changed.contains(addresses[i])
                            ? static_cast<std::uint16_t>(naive.find(addresses[i]))
                            : now};
    }
    ++changes;
  }
};

// Looks up all the time, and counts what should not have been found. As the kernel does for
// programs, a grace period waits for its turn to end.
class Reader {
 public:
  ~Reader() { end(); }
  void start(const RouteTable& table, const Allowed& allowed) {
    thread_ = std::thread([&table, &allowed, this] {
      while (!stop_)
        for (std::size_t i = 0; i < allowed.groups.size(); ++i) look_up(table, allowed, i);
    });
  }
  void end() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  bool wait() {
    ++waits_;
    const std::uint64_t turn = turn_;
    while (turn % 2 == 1 && turn_ == turn) std::this_thread::yield();
    return true;
  }
  [[nodiscard]] std::uint64_t wrong() const { return wrong_; }
  [[nodiscard]] std::uint64_t right() const { return right_; }
  [[nodiscard]] std::uint64_t waits() const { return waits_; }

 private:
  void look_up(const RouteTable& table, const Allowed& allowed, std::size_t i) {
    const std::uint64_t change = allowed.changes;
    const auto groups = allowed.groups[i].load();
    ++turn_;
    const std::uint16_t group = table.group_of(allowed.addresses[i]);
    ++turn_;
    if (allowed.changes != change) return;  // too slow to tell
    ++(group == groups.before || group == groups.after ? right_ : wrong_);
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> turn_{0}, wrong_{0}, right_{0}, waits_{0};
  std::thread thread_;
};

}  // namespace

TEST_CASE("a lookup during a change finds the group from before it or from after it", "[fib]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  CAPTURE(family);
  const RouteMemory memory(150, 2500);  // so few that they are used again and again
  Reader reader;
  RouteTable table(memory.arrays(), [&reader] { return reader.wait(); });
  CrowdedSpace space(family, 11);
  Allowed allowed(space, 48);
  NaiveMatcher naive;
  std::vector<Prefix> present;
  reader.start(table, allowed);
  for (int round = 0; round < 15000 || reader.right() < 100000; ++round) {
    const auto any = [&](auto& list) -> auto& {
      return list[space.number(static_cast<std::uint32_t>(list.size()))];
    };
    if (space.number(10) < (round / 1000 % 2 == 0 ? 7u : 3u) || present.empty()) {
      const int length = space.number(20) == 0 ? 0 : std::max(8, int{space.prefix().length});
      const Prefix changed = Prefix::covering(any(allowed.addresses), length);
      const std::uint32_t group = space.group();
      naive.set(changed, group);
      allowed.begin(changed, naive);
      REQUIRE(table.set(changed, group));
      present.push_back(changed);
    } else {
      std::swap(any(present), present.back());
      naive.remove(present.back());
      allowed.begin(present.back(), naive);
      REQUIRE(table.remove(present.back()));
      present.pop_back();
    }
    table.retry(1);
    if (reader.wrong() != 0) break;
  }
  reader.end();
  CHECK(reader.wrong() == 0);
  CHECK(reader.waits() > 0);
  for (const IpAddress& address : allowed.addresses)
    CHECK(table.group_of(address) == naive.find(address));
}

TEST_CASE("a lookup during a sweep finds the old daemon's group or the new one's", "[fib]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  CAPTURE(family);
  const RouteMemory memory;
  Reader reader;
  const auto wait = [&reader] { return reader.wait(); };
  const RouteTable old_table(memory.arrays(), wait);  // to look up with
  CrowdedSpace space(family, 61);
  Allowed allowed(space, 200);
  const Prefix any = Prefix::covering(space.address(), 0);
  {
    RouteTable table(memory.arrays(), wait);
    NaiveMatcher naive;
    naive.set(any, 4000);
    REQUIRE(table.set(any, 4000));
    allowed.begin(any, naive);
  }
  reader.start(old_table, allowed);
  for (std::uint32_t round = 1; round <= 24 && reader.wrong() == 0; ++round) {
    NaiveMatcher naive;
    naive.set(any, 4000 + round % 3);  // sometimes another default route
    for (const IpAddress& address : allowed.addresses)
      if (const int length = space.prefix().length; space.number(2) == 0 && length >= 12)
        naive.set(Prefix::covering(address, length), space.group());
    RouteTable table(memory.arrays(), wait);
    for (const auto& [prefix, group] : naive.routes()) REQUIRE(table.set(prefix, group));
    allowed.begin(any, naive);
    REQUIRE(table.sweep());
    for (const IpAddress& address : allowed.addresses)
      REQUIRE(table.group_of(address) == naive.find(address));
  }
  reader.end();
  CHECK(reader.wrong() == 0);
  CHECK(reader.right() > 0);
}
