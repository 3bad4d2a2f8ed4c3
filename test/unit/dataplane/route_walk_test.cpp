// All routes in order, a page at a time.
#include <algorithm>
#include <map>

#include "test/unit/dataplane/fib_world.hpp"

using namespace hopwise;
using namespace hopwise::dataplane;
using namespace hopwise::test;

namespace {

using Routes = std::vector<std::pair<Prefix, std::uint32_t>>;

/// Page after page of `size`.
Routes walked(const RouteTable& table, std::size_t size) {
  Routes all;
  std::optional<Prefix> after;
  for (std::size_t before = 1; before != all.size();) {
    before = all.size();
    std::size_t told = 0;
    table.walk(after, [&](const Prefix& prefix, std::uint32_t group) {
      if (told++ == size) return false;
      all.emplace_back(prefix, group);
      after = prefix;
      return true;
    });
  }
  return all;
}

}  // namespace

TEST_CASE("pages of any size show every route once, in order") {
  RouteMemory memory;
  RouteTable table(memory.arrays(), no_readers);
  std::map<Prefix, std::uint32_t> routes;
  for (const Family family : {Family::v4, Family::v6}) {
    CrowdedSpace space(family, 3);
    for (int i = 0; i < 700; ++i) {
      const Prefix prefix = space.prefix();
      const std::uint32_t group = space.group();
      routes[prefix] = group;
      static_cast<void>(table.set(prefix, group));  // without room it is set all the same
    }
  }
  const Routes expected(routes.begin(), routes.end());
  for (const std::size_t size : {1U, 7U, 500U, 5000U}) CHECK(walked(table, size) == expected);
}

TEST_CASE("a walk goes on behind a prefix that is not there any more") {
  RouteMemory memory;
  RouteTable table(memory.arrays(), no_readers);
  for (const char* text : {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.128/25", "::/0"})
    REQUIRE(table.set(*Prefix::parse(text), 1).has_value());
  const auto next_after = [&](const char* text) {
    std::string next;
    table.walk(Prefix::parse(text), [&](const Prefix& prefix, std::uint32_t) {
      next = prefix.text();
      return false;
    });
    return next;
  };
  CHECK(next_after("0.0.0.0/0") == "10.0.0.0/8");
  CHECK(next_after("10.0.0.0/8") == "10.0.0.0/24");
  CHECK(next_after("10.0.0.0/16") == "10.0.0.0/24");
  CHECK(next_after("10.0.0.64/26") == "10.0.0.128/25");
  CHECK(next_after("10.0.0.128/25") == "::/0");
  CHECK(next_after("::/0").empty());
}
