#include "core/daemon/promoted_routes.hpp"

#include "test/catch.hpp"

using namespace hopwise;

namespace {

Prefix p(const char* text) {
  return *Prefix::parse(text);
}
using Prefixes = std::vector<Prefix>;

PromotedRoutes some() {
  PromotedRoutes routes;
  routes.set(p("203.0.113.0/24"), {p("203.0.113.0/24"), GroupId{1}});
  routes.set(p("203.0.112.0/24"), {p("203.0.112.0/22"), GroupId{2}});
  routes.set(p("203.0.114.0/26"), {p("203.0.114.0/26"), GroupId{3}});
  routes.set(p("198.51.100.0/24"), {p("0.0.0.0/0"), GroupId{4}});
  routes.set(p("2001:db8:1::/48"), {p("::/0"), GroupId{5}});
  return routes;
}

}  // namespace

TEST_CASE("a promoted prefix lives by exactly one route", "[destinations]") {
  const PromotedRoutes routes = some();
  CHECK(routes.below(p("203.0.112.0/22")) == Prefixes{p("203.0.112.0/24")});
  CHECK(routes.below(p("203.0.113.0/24")) == Prefixes{p("203.0.113.0/24")});
  CHECK(routes.below(p("0.0.0.0/0")) == Prefixes{p("198.51.100.0/24")});
  CHECK(routes.below(p("::/0")) == Prefixes{p("2001:db8:1::/48")});
  CHECK(routes.below(p("203.0.112.0/21")).empty());
}

TEST_CASE("a longer route that covers it takes it away, itself included", "[destinations]") {
  const PromotedRoutes routes = some();
  CHECK(routes.taken_by(p("203.0.112.0/23")) == Prefixes{p("203.0.112.0/24")});
  CHECK(routes.taken_by(p("203.0.112.0/24")) == Prefixes{p("203.0.112.0/24")});
  CHECK(routes.taken_by(p("198.51.100.0/24")) == Prefixes{p("198.51.100.0/24")});
  CHECK(routes.taken_by(p("198.0.0.0/8")) == Prefixes{p("198.51.100.0/24")});
  CHECK(routes.taken_by(p("2001:db8::/32")) == Prefixes{p("2001:db8:1::/48")});
}

TEST_CASE("what is longer than it, no longer than its route or elsewhere leaves it alone",
          "[destinations]") {
  const PromotedRoutes routes = some();
  CHECK(routes.taken_by(p("198.51.100.0/25")).empty());
  CHECK(routes.taken_by(p("203.0.112.0/22")).empty());
  CHECK(routes.taken_by(p("203.0.112.0/20")).empty());
  CHECK(routes.taken_by(p("203.0.113.0/24")).empty());  // its own route, said again
  CHECK(routes.taken_by(p("192.0.2.0/24")).empty());
  CHECK(routes.taken_by(p("::/0")).empty());
}

TEST_CASE("traffic counts for a /24 or a /48, and for its route where that is longer",
          "[destinations]") {
  const auto to = [](const char* address, const char* route) {
    return destination_prefix(*IpAddress::parse(address), p(route)).text();
  };
  CHECK(to("203.0.113.77", "0.0.0.0/0") == "203.0.113.0/24");
  CHECK(to("203.0.113.77", "203.0.113.0/24") == "203.0.113.0/24");
  CHECK(to("203.0.113.77", "203.0.113.64/26") == "203.0.113.64/26");
  CHECK(to("2001:db8:1:2::3", "2001:db8::/32") == "2001:db8:1::/48");
  CHECK(to("2001:db8:1:2::3", "2001:db8:1:2::/64") == "2001:db8:1:2::/64");
}
