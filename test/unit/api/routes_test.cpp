// GET /api/v1/routes: the question as it is read, and a page as it is told.
#include <nlohmann/json.hpp>

#include "core/api/answer.hpp"
#include "core/api/query.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::api;

TEST_CASE("a question for routes is read whole") {
  const auto query = route_query_of(
      "within=203.0.0.0%2F16&after=203.0.5.0%2F24&family=v4&group=3&nexthop=isp-a&shown=kernel"
      "&count=only&limit=7");
  REQUIRE(query.has_value());
  CHECK(query->within == Prefix::parse("203.0.0.0/16"));
  CHECK(query->after == Prefix::parse("203.0.5.0/24"));
  CHECK(query->family == Family::v4);
  CHECK(query->group == GroupId{3});
  CHECK(query->nexthop == "isp-a");
  CHECK(query->shown == RoutesShown::left_to_kernel);
  CHECK(query->count_only);
  CHECK(query->limit == 7);
  CHECK(route_query_of("match=2001:db8::1")->match == IpAddress::parse("2001:db8::1"));
  CHECK(route_query_of("prefix=203.0.113.9")->exact == Prefix::parse("203.0.113.9/32"));
  CHECK(route_query_of("")->limit == 500);
}

TEST_CASE("a question that cannot be meant is refused by its parameter") {
  for (const auto& [query, words] : {std::pair{"match=x", "match:"},
                                     {"prefix=203.0.113.9/24", "prefix:"},
                                     {"family=4", "family:"},
                                     {"group=0", "group:"},
                                     {"shown=none", "shown:"},
                                     {"limit=1001", "limit:"},
                                     {"count=yes", "count:"},
                                     {"match=203.0.113.9&within=203.0.0.0/16", "one of them"},
                                     {"color=red", "unknown parameter"}}) {
    CAPTURE(query);
    const auto read = route_query_of(query);
    REQUIRE(!read.has_value());
    CHECK_THAT(read.error().message, Catch::Contains(words));
  }
}

TEST_CASE("a page tells each group once, and why the kernel has what it has") {
  Handlers handlers;
  handlers.routes = [](const RouteQuery& query) -> Result<RoutePage> {
    if (query.nexthop == "x") return Error{"no nexthop \"x\""};
    RoutePage page;
    page.counted = 2;
    page.next = Prefix::parse("203.0.113.0/24");
    page.groups[GroupId{3}] = {{"isp-a", 1}, {"isp-b", 0}};
    page.routes.push_back({.prefix = *Prefix::parse("198.51.100.0/24"), .group = GroupId{3}});
    page.routes.push_back({.prefix = *Prefix::parse("203.0.113.0/24"),
                           .because = RouteBecause::single,
                           .nexthops = {{"192.0.2.1@eth1", 1}}});
    return {boost::system::in_place_value, std::move(page)};
  };
  const auto answered = answer({"GET", "/api/v1/routes?limit=2", false}, handlers);
  CHECK(answered.status == 200);
  const auto json = nlohmann::json::parse(answered.body);
  CHECK(json["next"] == "203.0.113.0/24");
  CHECK(json["groups"][0]["nexthops"][1]["kernel_weight"] == 0);
  CHECK(json["routes"][0]["group"] == 3);
  CHECK(json["routes"][1]["group"].is_null());
  CHECK(json["routes"][1]["because"] == "one nexthop");
  CHECK(answer({"GET", "/api/v1/routes?nexthop=x", false}, handlers).status == 404);
  CHECK(answer({"GET", "/api/v1/routes?limit=0", false}, handlers).status == 400);
  CHECK(answer({"POST", "/api/v1/routes", false}, handlers).status == 405);
}
