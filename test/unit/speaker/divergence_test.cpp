#include "core/speaker/divergence.hpp"

#include "test/catch.hpp"
#include "test/unit/speaker/answers.hpp"

using namespace hopwise;
using namespace hopwise::speaker;
using namespace std::chrono_literals;

namespace {

const Prefix kPrefix = *Prefix::parse("203.0.113.0/24");

Leg leg(const char* gateway, const char* interface, std::uint32_t weight = 1) {
  return {*IpAddress::parse(gateway), interface, weight};
}

BelievedRoute installed(std::vector<Leg> legs) {
  return {Belief::installed, std::move(legs)};
}

TimePoint at(Duration since_start) {
  return TimePoint(1h) + since_start;
}

}  // namespace

TEST_CASE("a stale group shows as the nexthop that the kernel lacks", "[speaker]") {
  const auto believed =
      frr_route(captured("route6_three.json"), *Prefix::parse("2001:db8:113::/48"));
  REQUIRE(believed.has_value());
  const auto whole =
      compare(*believed, {leg("fe80::2", "w1"), leg("fe80::3", "w2"), leg("fe80::4", "w3")});
  CHECK_FALSE(whole.has_value());
  const auto stale = compare(*believed, {leg("fe80::2", "w1"), leg("fe80::4", "w3")});
  REQUIRE(stale.has_value());
  CHECK(stale->kind == DivergenceKind::missing);
  CHECK(stale->missing == std::vector{leg("fe80::3", "w2")});
  CHECK_THAT(explain(kPrefix, *stale, SpeakerKind::frr),
             Catch::Contains("the kernel lacks fe80::3@w2") && Catch::Contains("keep 1"));
}

TEST_CASE("a router told once by the kernel is not missed under its other address", "[speaker]") {
  // IPv4, and IPv4 by IPv6, of one router on w1: the follower knows it once.
  const auto believed = frr_route(captured("route4_four_v4_via_v6.json"), kPrefix);
  REQUIRE(believed.has_value());
  const std::vector once{leg("10.99.1.2", "w1", 2), leg("10.99.2.2", "w2"), leg("10.99.3.2", "w3")};
  CHECK_FALSE(compare(*believed, once).has_value());
  // FRR's flat form of the same.
  const std::vector flat{leg("10.99.1.2", "w1"), leg("169.254.0.1", "w1"), leg("10.99.2.2", "w2"),
                         leg("10.99.3.2", "w3")};
  CHECK_FALSE(compare(*believed, flat).has_value());
  const auto without = compare(*believed, {leg("10.99.1.2", "w1"), leg("10.99.3.2", "w3")});
  REQUIRE(without.has_value());
  CHECK(without->missing == std::vector{leg("10.99.2.2", "w2")});
}

TEST_CASE("two addresses of one kind that are one router are one leg with both weights",
          "[speaker]") {
  const auto believed = installed({leg("10.9.0.2", "lan"), leg("10.9.0.3", "lan")});
  CHECK_FALSE(compare(believed, {leg("10.9.0.2", "lan", 2)}).has_value());
  const auto lacks = compare(believed, {leg("10.9.0.2", "lan")});
  REQUIRE(lacks.has_value());
  CHECK(lacks->missing == std::vector{leg("10.9.0.3", "lan")});
}

TEST_CASE("on a shared LAN the number of routers counts", "[speaker]") {
  const auto believed = installed({leg("10.9.0.2", "lan"), leg("10.9.0.3", "lan"),
                                   leg("fe80::2", "lan"), leg("fe80::3", "lan")});
  CHECK_FALSE(compare(believed, {leg("10.9.0.2", "lan"), leg("fe80::3", "lan")}).has_value());
  const auto one = compare(believed, {leg("10.9.0.2", "lan")});
  REQUIRE(one.has_value());
  CHECK(one->kind == DivergenceKind::missing);
}

TEST_CASE("extra nexthops, other weights, unknown and refused routes are told", "[speaker]") {
  const auto two = installed({leg("10.0.0.1", "a"), leg("10.0.1.1", "b")});
  CHECK(compare(two, {leg("10.0.0.1", "a"), leg("10.0.1.1", "b"), leg("10.0.2.1", "c")})->kind ==
        DivergenceKind::extra);
  CHECK(compare(two, {leg("10.0.0.1", "a"), leg("10.0.2.1", "c")})->kind == DivergenceKind::both);
  CHECK(compare(two, {leg("10.0.0.1", "a", 3), leg("10.0.1.1", "b")})->kind ==
        DivergenceKind::weights);
  CHECK_FALSE(compare(two, {leg("10.0.0.1", "a", 9), leg("10.0.1.1", "b", 9)}).has_value());
  CHECK(compare({Belief::none}, {leg("10.0.0.1", "a")})->kind == DivergenceKind::unknown);
  CHECK(compare({Belief::refused}, {leg("10.0.0.1", "a")})->kind == DivergenceKind::refused);
  CHECK_FALSE(compare({Belief::changing}, {leg("10.0.0.1", "a")}).has_value());
  CHECK_FALSE(compare(two, {}).has_value());
  // Twice the same counts once, with both weights.
  CHECK_FALSE(
      compare(installed({leg("10.0.0.1", "a"), leg("10.0.0.1", "a"), leg("10.0.1.1", "b", 2)}),
              {leg("10.0.0.1", "a"), leg("10.0.1.1", "b")})
          .has_value());
}

TEST_CASE("a difference is told when it stood, once, and told as over", "[speaker]") {
  using Change = Divergences::Change;
  Divergences divergences;
  const Difference lacks{DivergenceKind::missing, {leg("10.0.1.1", "b")}, {}};
  CHECK(divergences.saw(kPrefix, lacks, at(0s)) == Change::none);
  CHECK_FALSE(divergences.due(at(1s)).has_value());
  CHECK(divergences.due(at(3s)) == kPrefix);
  CHECK(divergences.saw(kPrefix, lacks, at(3s)) == Change::none);
  CHECK(divergences.saw(kPrefix, lacks, at(6s)) == Change::stands);
  CHECK(divergences.saw(kPrefix, lacks, at(9s)) == Change::none);
  CHECK(divergences.saw(kPrefix, std::nullopt, at(12s)) == Change::over);
  CHECK(divergences.saw(kPrefix, std::nullopt, at(15s)) == Change::none);
  CHECK(divergences.cases().empty());
}

TEST_CASE("routes that change while one looks are no divergence", "[speaker]") {
  using Change = Divergences::Change;
  Divergences divergences;
  const Difference one{DivergenceKind::missing, {leg("10.0.1.1", "b")}, {}};
  const Difference other{DivergenceKind::missing, {leg("10.0.2.1", "c")}, {}};
  for (int i = 0; i < 20; ++i)
    CHECK(divergences.saw(kPrefix, i % 2 == 0 ? one : other, at(i * 3s)) == Change::none);
  CHECK(divergences.saw(kPrefix, std::nullopt, at(100s)) == Change::none);
}

TEST_CASE("cases are bounded", "[speaker]") {
  Divergences divergences;
  for (int i = 0; i < 1000; ++i)
    divergences.saw(
        *Prefix::parse("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".0/24"),
        Difference{}, at(0s));
  CHECK(divergences.cases().size() == Divergences::kMost);
}
