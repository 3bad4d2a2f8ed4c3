// The route table against a naive matcher: every lookup through the arrays, as the programs do it.
#include <set>

#include "test/unit/dataplane/fib_world.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::RouteTable;

namespace {

Prefix prefix(const char* text) {
  return *Prefix::parse(text);
}

std::uint32_t found(const RouteTable& table, const char* address) {
  return table.group_of(*IpAddress::parse(address));
}

struct Pair {
  RouteTable table;
  NaiveMatcher naive;

  explicit Pair(const RouteMemory& memory) : table(memory.arrays(), no_readers) {}
  Result<> set(const Prefix& p, std::uint32_t group) {
    naive.set(p, group);
    return table.set(p, group);
  }
  Result<> remove(const Prefix& p) {
    naive.remove(p);
    return table.remove(p);
  }
};

void compare(const Pair& pair, const IpAddress& address) {
  INFO(address.text());
  REQUIRE(pair.table.group_of(address) == pair.naive.find(address));
}

}  // namespace

TEST_CASE("after any inserts, changes and withdrawals the longest match is found", "[fib]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const unsigned seed = GENERATE(1u, 2u, 3u);
  CAPTURE(family, seed);
  const RouteMemory memory;
  Pair pair(memory);
  CrowdedSpace space(family, seed);
  std::vector<Prefix> present;
  for (int round = 0; round < 6000; ++round) {
    const bool growing = round / 1000 % 2 == 0;
    Prefix changed = space.prefix();
    if (space.number(10) < (growing ? 7u : 2u) || present.empty()) {
      REQUIRE(pair.set(changed, space.group()));
      present.push_back(changed);
    } else {
      std::swap(present[space.number(static_cast<std::uint32_t>(present.size()))], present.back());
      changed = present.back();
      present.pop_back();
      REQUIRE(pair.remove(changed));
    }
    INFO("round " << round << ", " << changed.text());
    for (const IpAddress& address : edges(changed)) compare(pair, address);
    for (int i = 0; i < 16; ++i) compare(pair, space.address());
    REQUIRE(pair.table.size() == pair.naive.routes().size());
    if (round % 50 == 0) pair.table.retry(1);
  }

  for (const Prefix& p : present) REQUIRE(pair.remove(p));
  CHECK(pair.table.size() == 0);
  CHECK(pair.table.use().blocks4 == 0);
  CHECK(pair.table.use().nodes6 == 0);
  for (int i = 0; i < 1000; ++i) compare(pair, space.address());
}

TEST_CASE("a match names the prefix that decided", "[fib]") {
  const RouteMemory memory;
  RouteTable table(memory.arrays(), no_readers);
  REQUIRE(table.set(prefix("10.0.0.0/8"), 1));
  REQUIRE(table.set(prefix("10.1.2.128/25"), 2));
  REQUIRE(table.set(prefix("2001:db8::/32"), HW_ROUTE_KERNEL));
  CHECK(table.find(*IpAddress::parse("10.1.2.127"))->prefix == prefix("10.0.0.0/8"));
  CHECK(table.find(*IpAddress::parse("10.1.2.128"))->prefix == prefix("10.1.2.128/25"));
  CHECK(table.find(*IpAddress::parse("2001:db8::1"))->prefix == prefix("2001:db8::/32"));
  CHECK(table.find(*IpAddress::parse("2001:db8::1"))->group == HW_ROUTE_KERNEL);
  CHECK_FALSE(table.find(*IpAddress::parse("2001:db9::1")));
}

TEST_CASE("the shortest and the longest prefixes are routes like any other", "[fib]") {
  const RouteMemory memory;
  RouteTable table(memory.arrays(), no_readers);
  REQUIRE(table.set(prefix("0.0.0.0/0"), 1));
  REQUIRE(table.set(prefix("255.255.255.255/32"), 2));
  REQUIRE(table.set(prefix("0.0.0.0/32"), 3));
  REQUIRE(table.set(prefix("128.0.0.0/1"), 4));
  CHECK(found(table, "0.0.0.0") == 3);
  CHECK(found(table, "0.0.0.1") == 1);
  CHECK(found(table, "255.255.255.254") == 4);
  CHECK(found(table, "255.255.255.255") == 2);
  REQUIRE(table.remove(prefix("0.0.0.0/0")));
  CHECK(found(table, "0.0.0.1") == HW_ROUTE_NONE);
  CHECK(found(table, "0.0.0.0") == 3);

  REQUIRE(table.set(prefix("::/0"), 5));
  REQUIRE(table.set(prefix("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"), 6));
  REQUIRE(table.set(prefix("::/128"), 7));
  REQUIRE(table.set(prefix("8000::/1"), 8));
  CHECK(found(table, "::") == 7);
  CHECK(found(table, "::1") == 5);
  CHECK(found(table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe") == 8);
  CHECK(found(table, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == 6);
  REQUIRE(table.remove(prefix("::/0")));
  CHECK(found(table, "::1") == HW_ROUTE_NONE);
  CHECK(found(table, "::") == 7);
}

TEST_CASE("every group that a slot can hold is found, and no other is accepted", "[fib]") {
  const RouteMemory memory;
  RouteTable table(memory.arrays(), no_readers);
  const auto host = [](std::uint32_t group) {
    IpAddress address = *IpAddress::parse("10.0.0.0");
    address.bytes[2] = static_cast<std::uint8_t>(group >> 8);
    address.bytes[3] = static_cast<std::uint8_t>(group);
    return Prefix::covering(address, 32);
  };
  const auto site = [](std::uint32_t group) {
    IpAddress address = *IpAddress::parse("2001:db8::");
    address.bytes[4] = static_cast<std::uint8_t>(group >> 8);
    address.bytes[5] = static_cast<std::uint8_t>(group);
    return Prefix::covering(address, 48);
  };
  for (std::uint32_t group = 1; group < HW_MAX_GROUPS; ++group) {
    REQUIRE(table.set(host(group), group));
    REQUIRE(table.set(site(group), group));
  }
  for (std::uint32_t group = 1; group < HW_MAX_GROUPS; ++group) {
    REQUIRE(table.group_of(host(group).address) == group);
    REQUIRE(table.group_of(site(group).address) == group);
  }
  CHECK_FALSE(table.set(prefix("10.0.0.0/8"), 0));
  CHECK_FALSE(table.set(prefix("10.0.0.0/8"), HW_ROUTE_KERNEL + 1));
  CHECK(found(table, "10.255.0.0") == HW_ROUTE_NONE);
}

TEST_CASE("a /24 whose addresses have all the same group needs no block", "[fib]") {
  const RouteMemory memory;
  RouteTable table(memory.arrays(), no_readers);
  REQUIRE(table.set(prefix("10.0.0.0/8"), 1));
  REQUIRE(table.set(prefix("10.0.0.0/25"), 1));
  CHECK(table.use().blocks4 == 0);
  REQUIRE(table.set(prefix("10.0.0.128/25"), 2));
  CHECK(table.use().blocks4 == 1);
  REQUIRE(table.set(prefix("10.0.0.0/8"), 3));  // was hidden below the first /25 until now
  CHECK(found(table, "10.0.0.1") == 1);
  REQUIRE(table.remove(prefix("10.0.0.0/25")));
  CHECK(found(table, "10.0.0.1") == 3);
  REQUIRE(table.set(prefix("10.0.0.128/25"), 3));
  CHECK(table.use().blocks4 == 0);
  REQUIRE(table.set(prefix("10.0.0.0/8"), 4));
  CHECK(found(table, "10.0.0.1") == 4);
  CHECK(found(table, "10.0.0.129") == 3);
}

TEST_CASE("a /24 for which no block is left is the kernel's until one is", "[fib]") {
  const RouteMemory memory(3);  // two blocks
  RouteTable table(memory.arrays(), no_readers);
  REQUIRE(table.set(prefix("10.0.0.0/8"), 1));
  REQUIRE(table.set(prefix("10.0.1.0/25"), 2));
  REQUIRE(table.set(prefix("10.0.2.0/25"), 2));
  const auto refused = table.set(prefix("10.0.3.0/25"), 7);
  REQUIRE_FALSE(refused);
  INFO(refused.error().message);
  CHECK(refused.error().message.starts_with("install route 10.0.3.0/25: no room (2 of "));
  CHECK(table.waiting() == 1);
  CHECK(found(table, "10.0.3.1") == HW_ROUTE_KERNEL);
  CHECK(found(table, "10.0.3.200") == HW_ROUTE_KERNEL);
  CHECK(found(table, "10.0.4.1") == 1);
  CHECK(found(table, "10.0.1.1") == 2);
  table.retry(10);
  CHECK(table.waiting() == 1);
  REQUIRE(table.set(prefix("10.0.0.0/16"), 4));  // over it: it waits on
  CHECK(found(table, "10.0.3.200") == HW_ROUTE_KERNEL);
  CHECK(found(table, "10.0.4.200") == 4);

  SECTION("it goes in when another has gone") {
    REQUIRE(table.remove(prefix("10.0.1.0/25")));
    table.retry(10);
    CHECK(table.waiting() == 0);
    CHECK(found(table, "10.0.3.1") == 7);
    CHECK(found(table, "10.0.3.200") == 4);
    CHECK(found(table, "10.0.1.1") == 4);
  }
  SECTION("it is forgotten when it is not wanted any more") {
    REQUIRE(table.remove(prefix("10.0.3.0/25")));
    CHECK(table.waiting() == 0);
    CHECK(found(table, "10.0.3.1") == 4);
  }
}

TEST_CASE("an IPv6 slot for which no node is left is the kernel's until one is", "[fib]") {
  const RouteMemory memory(3, 10);  // nine nodes; a lone /48 needs seven
  RouteTable table(memory.arrays(), no_readers);
  REQUIRE(table.set(prefix("2001::/16"), 1));
  REQUIRE(table.set(prefix("2001:db8:1::/48"), 2));
  REQUIRE(table.use().nodes6 == 7);
  REQUIRE(table.set(prefix("2001:db8:1:8000::/49"), 3));
  const auto refused = table.set(prefix("2001:db8:1:8000::/64"), 4);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("install route 2001:db8:1:8000::/64: no room ("));
  REQUIRE_FALSE(table.set(prefix("2001:4000:1::/48"), 5));
  CHECK(table.waiting() == 2);
  CHECK(found(table, "2001:db8:1:8000::1") == HW_ROUTE_KERNEL);
  CHECK(found(table, "2001:db8:1:8100::1") == 3);
  CHECK(found(table, "2001:4000:1::1") == HW_ROUTE_KERNEL);
  CHECK(found(table, "2001:db8:1::1") == 2);
  CHECK(found(table, "2001:db8:2::1") == 1);

  SECTION("it goes in when others have gone") {
    for (const char* text : {"2001:db8:1::/48", "2001:db8:1:8000::/49", "2001:db8:1:8000::/64"})
      (void)table.remove(prefix(text));
    table.retry(10);
    CHECK(table.waiting() == 0);
    CHECK(found(table, "2001:4000:1::1") == 5);
    CHECK(found(table, "2001:4000:2::1") == 1);
    CHECK(table.use().nodes6 == 7);
  }
  SECTION("all are forgotten when they are not wanted any more") {
    for (const char* text :
         {"2001:4000:1::/48", "2001:db8:1::/48", "2001:db8:1:8000::/49", "2001:db8:1:8000::/64"})
      (void)table.remove(prefix(text));
    CHECK(table.waiting() == 0);
    CHECK(table.use().nodes6 == 0);
    CHECK(found(table, "2001:4000:1::1") == 1);
  }
}

TEST_CASE("with too little room an address has its route or is the kernel's, and later its route",
          "[fib]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  const RouteMemory memory(20, 300);
  Pair pair(memory);
  CrowdedSpace space(family, 5);
  std::vector<Prefix> present;
  std::size_t waited = 0;
  for (int round = 0; round < 4000; ++round) {
    if (space.number(10) < (round / 500 % 2 == 0 ? 8u : 3u) || present.empty()) {
      present.push_back(space.prefix());
      (void)pair.set(present.back(), space.group());
    } else {
      std::swap(present[space.number(static_cast<std::uint32_t>(present.size()))], present.back());
      (void)pair.remove(present.back());
      present.pop_back();
    }
    waited += pair.table.waiting();
    for (int i = 0; i < 8; ++i) {
      const IpAddress address = space.address();
      const std::uint32_t group = pair.table.group_of(address);
      INFO("round " << round << ' ' << address.text());
      REQUIRE((group == pair.naive.find(address) ||
               (group == HW_ROUTE_KERNEL && pair.table.waiting() > 0)));
    }
    if (round % 20 == 0) pair.table.retry(4);
  }
  CHECK(waited > 0);
  while (pair.table.waiting() > 0) {
    REQUIRE_FALSE(present.empty());
    (void)pair.remove(present.back());
    present.pop_back();
    pair.table.retry(1000);
  }
  for (int i = 0; i < 5000; ++i) compare(pair, space.address());
}
