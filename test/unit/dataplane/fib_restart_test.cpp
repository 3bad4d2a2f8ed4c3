// Route tables over arrays that another daemon has filled, or was filling when it was killed.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "test/unit/dataplane/fib_world.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::RouteTable;

namespace {

Prefix prefix(const char* text) {
  return *Prefix::parse(text);
}

struct Change {
  Prefix prefix;
  std::uint32_t group;  // HW_ROUTE_NONE: withdrawn
};

void apply(NaiveMatcher& naive, const Change& change) {
  if (change.group == HW_ROUTE_NONE)
    naive.remove(change.prefix);
  else
    naive.set(change.prefix, change.group);
}

void apply(RouteTable& table, const Change& change) {
  (void)(change.group == HW_ROUTE_NONE ? table.remove(change.prefix)
                                       : table.set(change.prefix, change.group));
}

std::vector<Change> changes(CrowdedSpace& space, std::size_t count) {
  std::vector<Change> all;
  while (all.size() < count) {
    if (all.empty() || space.number(3) != 0)
      all.push_back({space.prefix(), space.group()});
    else
      all.push_back({all[space.number(static_cast<std::uint32_t>(all.size()))].prefix, 0});
  }
  return all;
}

void set_all(RouteTable& table, const NaiveMatcher& naive) {
  for (const auto& [p, group] : naive.routes()) REQUIRE(table.set(p, group));
}

std::vector<IpAddress> addresses(CrowdedSpace& space, const std::vector<Change>& all) {
  std::vector<IpAddress> some;
  for (const Change& change : all) {
    const auto at = edges(change.prefix);
    some.insert(some.end(), at.begin(), at.end());
    some.push_back(space.address());
  }
  return some;
}

// Runs `work` in a process of its own, which is killed at a random moment after it has started.
template <class Work>
void run_and_kill(std::uint32_t after_us, const Work& work) {
  int started[2];
  REQUIRE(pipe(started) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    work([&] { (void)!write(started[1], "", 1); });
    _exit(0);
  }
  char byte = 0;
  REQUIRE(read(started[0], &byte, 1) == 1);
  usleep(after_us);
  kill(child, SIGKILL);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  close(started[0]);
  close(started[1]);
}

}  // namespace

TEST_CASE("until the sweep the old daemon's routes answer, after it exactly the new ones",
          "[fib]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const RouteMemory memory;
  CrowdedSpace space(family, 21);
  const auto before = changes(space, 400), while_away = changes(space, 100);
  const auto where = addresses(space, before);
  NaiveMatcher old_routes, new_routes;
  {
    RouteTable table(memory.arrays(), no_readers);
    for (const Change& change : before) apply(table, change), apply(old_routes, change);
  }
  new_routes = old_routes;
  for (const Change& change : while_away) apply(new_routes, change);

  RouteTable table(memory.arrays(), no_readers);
  set_all(table, new_routes);
  for (const IpAddress& a : where) REQUIRE(table.group_of(a) == old_routes.find(a));
  REQUIRE(table.sweep());
  for (const IpAddress& a : where) REQUIRE(table.group_of(a) == new_routes.find(a));

  const RouteMemory other;
  RouteTable fresh(other.arrays(), no_readers);
  set_all(fresh, new_routes);
  CHECK(table.use().blocks4 == fresh.use().blocks4);
  CHECK(table.use().nodes6 == fresh.use().nodes6);
  for (const Change& change : before) {
    apply(table, change);
    apply(new_routes, change);
  }
  for (const IpAddress& a : where) REQUIRE(table.group_of(a) == new_routes.find(a));
}

TEST_CASE("a restart without changes stores nothing", "[fib]") {
  const RouteMemory memory;
  CrowdedSpace space4(Family::v4, 31), space6(Family::v6, 31);
  NaiveMatcher routes;
  for (const Change& change : changes(space4, 300)) apply(routes, change);
  for (const Change& change : changes(space6, 300)) apply(routes, change);
  {
    RouteTable table(memory.arrays(), no_readers);
    set_all(table, routes);
  }
  const auto arrays = memory.arrays();
  const auto readable = [&](int protection) {
    return mprotect(arrays.routes4.data(), arrays.routes4.size_bytes(), protection) == 0 &&
           mprotect(arrays.blocks4.data(), arrays.blocks4.size_bytes(), protection) == 0 &&
           mprotect(arrays.routes6.data(), arrays.routes6.size_bytes(), protection) == 0 &&
           mprotect(arrays.nodes6.data(), arrays.nodes6.size_bytes(), protection) == 0;
  };
  REQUIRE(readable(PROT_READ));  // a store would end the test
  RouteTable table(arrays, no_readers);
  set_all(table, routes);
  REQUIRE(table.sweep());
  CHECK(table.waiting() == 0);
  REQUIRE(readable(PROT_READ | PROT_WRITE));
}

// A program reads the longer prefixes first, then the default route: it may have found none of them
// just before one came.
TEST_CASE("in a sweep the old default route stands until no program asks for it", "[fib]") {
  const bool v4 = GENERATE(true, false);
  CAPTURE(v4);
  const Prefix any = prefix(v4 ? "0.0.0.0/0" : "::/0");
  const Prefix longer = prefix(v4 ? "192.0.2.0/24" : "2001:db8::/32");
  const RouteMemory memory;
  const hw_router& router = memory.arrays().router;
  const std::uint16_t& installed = v4 ? router.default4 : router.default6;
  REQUIRE(RouteTable(memory.arrays(), no_readers).set(any, 1));
  const RouteTable programs(memory.arrays(), no_readers);
  bool waited = false;
  RouteTable table(memory.arrays(), [&] {
    waited |= programs.group_of(longer.address) == 3 && installed == 1;
    return true;
  });
  REQUIRE(table.set(any, 2));
  REQUIRE(table.set(longer, 3));
  REQUIRE(table.sweep());
  CHECK(waited);
  CHECK(installed == 2);
  CHECK(table.group_of(longer.address) == 3);
}

TEST_CASE("what waited for room in the old daemon is tried by the new one", "[fib]") {
  const RouteMemory memory(3, 10);
  const auto set_some = [](RouteTable& table, const std::vector<const char*>& prefixes) {
    for (const char* text : prefixes) (void)table.set(prefix(text), 7);
  };
  {
    RouteTable table(memory.arrays(), no_readers);
    set_some(table, {"10.0.1.0/25", "10.0.2.0/25", "10.0.3.0/25", "2001:db8:1::/48",
                     "2001:db8:1:8000::/64"});
    REQUIRE(table.waiting() == 2);
  }
  RouteTable table(memory.arrays(), no_readers);
  set_some(table, {"10.0.2.0/25", "10.0.3.0/25", "2001:db8:1:8000::/52"});
  (void)table.sweep();
  for (int i = 0; i < 3; ++i) table.retry(10);
  CHECK(table.waiting() == 0);
  CHECK(table.group_of(*IpAddress::parse("10.0.1.1")) == HW_ROUTE_NONE);
  CHECK(table.group_of(*IpAddress::parse("10.0.3.1")) == 7);
  CHECK(table.group_of(*IpAddress::parse("10.0.3.200")) == HW_ROUTE_NONE);
  CHECK(table.group_of(*IpAddress::parse("2001:db8:1:8000::1")) == 7);
  CHECK(table.group_of(*IpAddress::parse("2001:db8:1::1")) == HW_ROUTE_NONE);
}

TEST_CASE("a daemon killed between two stores leaves every address its old or its new route",
          "[fib]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  CrowdedSpace space(family, 41);
  for (int kill = 0; kill < 10; ++kill) {
    const RouteMemory memory;
    const RouteMemory progress_memory(2, 2);
    std::uint32_t& begun = progress_memory.arrays().router.hash_seed;
    const auto all = changes(space, 3000);
    const auto where = addresses(space, changes(space, 50));
    run_and_kill(space.number(8000), [&](const auto& started) {
      RouteTable table(memory.arrays(), no_readers);
      started();
      for (const Change& change : all) {
        std::atomic_ref(begun).fetch_add(1);
        apply(table, change);
        table.retry(1);
      }
    });
    NaiveMatcher before, after;
    for (std::size_t i = 0; i < begun; ++i) {
      before = i + 1 == begun ? after : before;
      apply(after, all[i]);
    }
    RouteTable next(memory.arrays(), no_readers);
    for (const IpAddress& a : where) {
      const std::uint32_t group = next.group_of(a);
      INFO("killed in change " << begun << ", " << a.text());
      REQUIRE((group == before.find(a) || group == after.find(a)));
    }
    set_all(next, after);
    REQUIRE(next.sweep());
    for (const IpAddress& a : where) REQUIRE(next.group_of(a) == after.find(a));
    for (const auto& [p, group] : after.routes())
      for (const IpAddress& a : edges(p)) REQUIRE(next.group_of(a) == after.find(a));
  }
}

TEST_CASE("a daemon killed in a sweep leaves every address its old or its new route", "[fib]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  CrowdedSpace space(family, 51);
  const RouteMemory memory;
  NaiveMatcher before, after;
  std::vector<IpAddress> where_before;
  for (int kill = 0; kill < 9; ++kill) {
    // The default route changes too, comes and goes, and often decides.
    auto all = changes(space, 300);
    std::erase_if(all, [](const Change& change) { return change.prefix.length < 12; });
    const Prefix any = Prefix::covering(space.address(), 0);
    if (kill % 3 != 0) all.push_back({any, 40u + static_cast<std::uint32_t>(kill)});
    after = {};
    for (const Change& change : all) apply(after, change);
    auto where = addresses(space, all);
    std::swap(where, where_before);
    where.insert(where.end(), where_before.begin(), where_before.end());
    run_and_kill(space.number(100000), [&](const auto& started) {
      RouteTable table(memory.arrays(), no_readers);
      for (const auto& [p, group] : after.routes()) (void)table.set(p, group);
      started();
      (void)table.sweep();
    });
    RouteTable next(memory.arrays(), no_readers);
    for (const IpAddress& a : where) {
      const std::uint32_t group = next.group_of(a);
      const std::uint32_t wanted = after.find(a);
      INFO("kill " << kill << ' ' << a.text() << ": " << group << ", was " << before.find(a)
                   << ", wanted " << wanted);
      REQUIRE((group == before.find(a) || group == wanted ||
               (group == HW_ROUTE_KERNEL && wanted == HW_ROUTE_NONE)));
    }
    set_all(next, after);
    REQUIRE(next.sweep());
    for (const IpAddress& a : where) REQUIRE(next.group_of(a) == after.find(a));
    before = after;
  }
}
