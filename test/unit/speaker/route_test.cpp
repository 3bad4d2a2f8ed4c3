#include "core/speaker/route.hpp"

#include <algorithm>

#include "test/catch.hpp"
#include "test/unit/speaker/answers.hpp"

using namespace hopwise;
using namespace hopwise::speaker;

namespace {

const Prefix kService4 = *Prefix::parse("203.0.113.0/24");
const Prefix kService6 = *Prefix::parse("2001:db8:113::/48");

Leg leg(const char* gateway, const char* interface, std::uint32_t weight = 1) {
  return {*IpAddress::parse(gateway), interface, weight};
}

BelievedRoute frr(const std::string& file, const Prefix& prefix) {
  const auto route = frr_route(captured(file), prefix);
  INFO((route ? "" : route.error().message));
  REQUIRE(route.has_value());
  return *route;
}

BelievedRoute bird(const std::string& file, const Prefix& prefix) {
  const auto route = bird_route(captured(file), prefix);
  INFO((route ? "" : route.error().message));
  REQUIRE(route.has_value());
  return *route;
}

}  // namespace

TEST_CASE("zebra's multipath routes are read, IPv4 by IPv6 gateways too", "[speaker]") {
  const auto four = frr("route4_four_v4_via_v6.json", kService4);
  CHECK(four.belief == Belief::installed);
  CHECK(four.legs == std::vector{leg("10.99.1.2", "w1"), leg("10.99.2.2", "w2"),
                                 leg("10.99.3.2", "w3"), leg("fe80::2", "w1")});
  const auto six = frr("route6_three.json", kService6);
  CHECK(six.legs == std::vector{leg("fe80::2", "w1"), leg("fe80::3", "w2"), leg("fe80::4", "w3")});
}

TEST_CASE("recursive nexthops are read as what they resolve to, duplicates and all", "[speaker]") {
  const auto recursive = frr("route4_recursive.json", *Prefix::parse("192.0.3.0/24"));
  CHECK(recursive.legs.size() == 4);
  CHECK(std::none_of(recursive.legs.begin(), recursive.legs.end(),
                     [](const Leg& l) { return l.gateway == *IpAddress::parse("203.0.113.1"); }));
  const auto twice = frr("route4_duplicates_and_inactive.json", *Prefix::parse("192.0.5.0/24"));
  CHECK(std::count(twice.legs.begin(), twice.legs.end(), leg("10.99.1.2", "w1")) == 2);
  CHECK(twice.legs.size() == 5);
}

TEST_CASE("of several routes zebra's chosen one counts", "[speaker]") {
  CHECK(frr("route4_two_entries.json", kService4).legs.size() == 4);
  CHECK(frr("route_none.json", kService4).belief == Belief::none);
  CHECK(frr("route4_connected.json", *Prefix::parse("10.99.1.0/30")).belief == Belief::foreign);
}

TEST_CASE("a route that zebra works on, or failed with, says so", "[speaker]") {
  const auto belief = [](const std::string& fields) {
    const auto route = frr_route(R"({"203.0.113.0/24":[{"protocol":"bgp","selected":true,)" +
                                     fields + R"("nexthops":[{"fib":true,"ip":"10.0.0.1",)" +
                                     R"("interfaceName":"w1","weight":7}]}]})",
                                 kService4);
    REQUIRE(route.has_value());
    return *route;
  };
  CHECK(belief("").belief == Belief::changing);
  CHECK(belief(R"("installed":true,"queued":true,)").belief == Belief::changing);
  CHECK(belief(R"("failed":true,)").belief == Belief::refused);
  CHECK(belief(R"("installed":true,)").legs == std::vector{leg("10.0.0.1", "w1", 7)});
}

TEST_CASE("what is not zebra's answer to the question is an error", "[speaker]") {
  for (const char* text :
       {"", "[]", "null", "{", "% Unknown command", R"({"198.51.100.0/24":[]})",
        R"({"203.0.113.0/24":{}})",
        R"({"203.0.113.0/24":[{"protocol":"bgp","selected":true,"installed":true,)"
        R"("nexthops":[{"fib":true,"ip":"10.0.0.999"}]}]})"})
    CHECK_FALSE(frr_route(text, kService4).has_value());
  // Of the wrong types nothing is believed, and nothing thrown.
  for (const char* text :
       {R"({"203.0.113.0/24":[1,null,"x",[]]})", R"({"203.0.113.0/24":[{"selected":"yes"}]})",
        R"({"203.0.113.0/24":[{"selected":true,"installed":true,"nexthops":7}]})",
        R"({"203.0.113.0/24":[{"selected":true,"installed":true,"nexthops":[[],3,{"fib":1}]}]})"}) {
    const auto route = frr_route(text, kService4);
    REQUIRE(route.has_value());
    CHECK(route->legs.empty());
  }
}

TEST_CASE("every cut of zebra's answer is an error", "[speaker]") {
  std::string whole = captured("route4_recursive.json");
  whole.erase(whole.find_last_not_of('\n') + 1);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(frr_route(whole.substr(0, size), *Prefix::parse("192.0.3.0/24")).has_value());
}

TEST_CASE("BIRD's exported routes are read, merged ones with their weights", "[speaker]") {
  CHECK(bird("bird_route4_merged_v4_via_v6.txt", kService4).legs ==
        std::vector{leg("10.99.1.2", "w1"), leg("10.99.2.2", "w2"), leg("10.99.3.2", "w3"),
                    leg("fd00:99:1::2", "w1")});
  CHECK(bird("bird_route6.txt", kService6).legs.size() == 3);
  CHECK(bird("bird_route4_weights.txt", *Prefix::parse("192.0.2.0/24")).legs ==
        std::vector{leg("10.99.2.2", "w2", 5), leg("10.99.1.2", "w1", 3)});
  CHECK(bird("bird_route4_recursive.txt", *Prefix::parse("192.0.3.0/24")).legs ==
        std::vector{leg("10.99.1.2", "w1")});
  CHECK(bird("bird_route4_none.txt", *Prefix::parse("9.9.9.0/24")).belief == Belief::none);
}

TEST_CASE("what is not BIRD's answer to the question is an error", "[speaker]") {
  CHECK_FALSE(bird_route(captured("bird_syntax_error.txt"), kService4).has_value());
  CHECK_FALSE(bird_route(captured("bird_route6.txt"), kService4).has_value());
  CHECK_FALSE(
      bird_route("1007-Table master4:\n 203.0.113.0/24 unicast [a] * (100)\n0000 \n", kService4)
          .has_value());
  for (const char* via : {"via", "via 10.0.0.999 on w1", "via 10.0.0.1 w1",
                          "via 10.0.0.1 on w1 weight 0", "via 10.0.0.1 on w1 weight x"})
    CHECK_FALSE(bird_route("1007-Table master4:\n 203.0.113.0/24 unicast [a] * (100)\n \t" +
                               std::string(via) + "\n0000 \n",
                           kService4)
                    .has_value());
  // Several routes to one prefix are no merged one: the kernel has but the first.
  CHECK(bird_route(captured("bird_route4_all.txt"), kService4)->legs.size() == 4);
}

TEST_CASE("BIRD's kernel protocols are found by their tables", "[speaker]") {
  const auto kernels = bird_kernels(captured("bird_protocols.txt"));
  CHECK(kernels == std::vector<std::string>{"k4", "k6"});
  CHECK(bird_kernels("0000 \n") == std::vector<std::string>{"", ""});
}
