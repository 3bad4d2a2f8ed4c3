#include "core/routes/fib.hpp"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::routes;
using Place = RouteMessage::Place;
using Meaning = Fib::Meaning;

namespace {

Leg leg(std::uint32_t link, const char* gateway, std::uint32_t weight = 1) {
  return {link, IpAddress::parse(gateway), weight, false};
}

LinkMessage link(std::uint32_t index, bool up) {
  return {.enabled = true,
          .interface = {index, "eth" + std::to_string(index), up, true, false, false, 1500}};
}

RouteMessage route(const char* prefix, std::vector<Leg> legs, Place place = Place::first) {
  RouteMessage message;
  message.place = place;
  message.prefix = *Prefix::parse(prefix);
  message.table = RT_TABLE_MAIN;
  message.hops.legs = std::move(legs);
  return message;
}

RouteMessage gone(RouteMessage message) {
  message.gone = true;
  return message;
}

// With the links 1 to 3 up.
struct Kernel {
  Fib fib{RT_TABLE_MAIN};

  Kernel() {
    for (std::uint32_t index = 1; index <= 3; ++index) fib.apply(link(index, true));
    changes();
  }
  // The prefixes of which something was told.
  std::vector<Prefix> changes() {
    std::vector<Prefix> told;
    const auto tell = [&](const Prefix& prefix, const NexthopSet&) { told.push_back(prefix); };
    fib.tell_touched(tell);
    while (fib.walking()) fib.walk(tell);
    return told;
  }
  // The links that the best route uses: "1 2", "kernel", or "none".
  std::string best(const char* prefix) {
    changes();
    const NexthopSet set = fib.best(*Prefix::parse(prefix));
    if (!set) return "none";
    std::string text;
    for (const auto& hop : *set)
      text += (text.empty() ? "" : " ") + std::to_string(hop.key.ifindex);
    return text.empty() ? "kernel" : text;
  }
};

constexpr const char* kV4 = "192.0.2.0/24";
constexpr const char* kV6 = "2001:db8::/32";

}  // namespace

TEST_CASE("all is told once more where that is asked for, what changes meanwhile as it is then",
          "[routes]") {
  Kernel kernel;
  for (const char* prefix : {kV4, "198.51.100.0/24", kV6})
    kernel.fib.apply(route(prefix, {leg(1, "10.0.0.2"), leg(2, "10.0.1.2")}));
  REQUIRE(kernel.changes().size() == 3);
  REQUIRE(kernel.changes().empty());
  kernel.fib.retell();
  kernel.fib.apply(route("203.0.113.0/24", {leg(1, "10.0.0.2")}));
  kernel.fib.apply(gone(route("198.51.100.0/24", {leg(1, "10.0.0.2"), leg(2, "10.0.1.2")})));
  auto told = kernel.changes();
  std::sort(told.begin(), told.end());
  // Told as it changed, and in passing once more.
  CHECK(told == std::vector<Prefix>{*Prefix::parse(kV4), *Prefix::parse("198.51.100.0/24"),
                                    *Prefix::parse("203.0.113.0/24"),
                                    *Prefix::parse("203.0.113.0/24"), *Prefix::parse(kV6)});
  CHECK(kernel.changes().empty());
}

TEST_CASE("a route keeps its dead legs while one is alive", "[routes]") {
  Kernel kernel;
  kernel.fib.apply(route(kV4, {leg(1, "10.0.0.2"), leg(2, "10.0.1.2")}));
  kernel.fib.apply(route("198.51.100.0/24", {leg(3, "10.0.2.2")}));
  kernel.changes();
  CHECK(kernel.fib.apply(link(2, false)) == Meaning::ambiguous);
  CHECK(kernel.changes().empty());
  CHECK(kernel.best(kV4) == "1 2");
  CHECK(kernel.fib.apply(link(2, false)) == Meaning::clear);

  RouteMessage backup = route(kV4, {leg(3, "10.0.2.2")});
  backup.metric = 20;
  kernel.fib.apply(backup);
  CHECK(kernel.best(kV4) == "1 2");
  CHECK(kernel.fib.apply(link(1, false)) == Meaning::ambiguous);
  CHECK(kernel.changes() == std::vector{*Prefix::parse(kV4)});
  CHECK(kernel.best(kV4) == "3");
  kernel.fib.apply(link(2, true));
  CHECK(kernel.best(kV4) == "1 2");
}

TEST_CASE("a leg that the kernel calls dead is reported, one whose link was deleted is not",
          "[routes]") {
  Kernel kernel;
  std::vector<Leg> legs{leg(1, "10.0.0.2"), leg(2, "10.0.1.2"), leg(3, "10.0.2.2")};
  legs[1].dead = true;
  kernel.fib.apply(route(kV4, legs));
  CHECK(kernel.best(kV4) == "1 2 3");
  LinkMessage deleted = link(3, false);
  deleted.gone = true;
  kernel.fib.apply(deleted);
  CHECK(kernel.best(kV4) == "1 2");
  kernel.fib.apply(link(1, false));
  CHECK(kernel.best(kV4) == "kernel");
}

TEST_CASE("a route with an MTU of its own is the kernel's, and told apart by it", "[routes]") {
  const auto* prefix = GENERATE(kV4, kV6);
  Kernel kernel;
  const RouteMessage plain = route(prefix, {leg(1, "fe80::1"), leg(2, "fe80::1")}, Place::instead);
  RouteMessage narrow = plain;
  narrow.hops.own_mtu = true;
  kernel.fib.apply(plain);
  CHECK(kernel.best(prefix) == "1 2");
  kernel.fib.apply(narrow);
  CHECK(kernel.best(prefix) == "kernel");
  CHECK(kernel.fib.apply(gone(narrow)) == Meaning::clear);
  CHECK(kernel.best(prefix) == "none");
}

TEST_CASE("IPv6 siblings of different MTU ask for a dump", "[routes]") {
  Kernel kernel;
  kernel.fib.apply(route(kV6, {leg(1, "fe80::1")}));
  RouteMessage both = route(kV6, {leg(2, "fe80::1"), leg(1, "fe80::1")}, Place::last);
  both.hops.own_mtu = true;
  CHECK(kernel.fib.apply(both) == Meaning::ambiguous);
}

TEST_CASE("the local table comes before any metric, other tables not at all", "[routes]") {
  Kernel kernel;
  kernel.fib.apply(route(kV4, {leg(1, "10.0.0.2")}));
  RouteMessage other = route(kV4, {leg(2, "10.0.1.2")});
  other.table = 100;
  CHECK(kernel.fib.apply(gone(other)) == Meaning::clear);
  CHECK(kernel.best(kV4) == "1");
  RouteMessage local = route(kV4, {{1, std::nullopt, 1, false}});
  local.table = RT_TABLE_LOCAL;
  local.metric = 1000;
  kernel.fib.apply(local);
  CHECK(kernel.best(kV4) == "kernel");
  kernel.fib.apply(gone(local));
  CHECK(kernel.best(kV4) == "1");
}

TEST_CASE("an IPv4 route that lost legs in silence still goes, and asks for a dump", "[routes]") {
  Kernel kernel;
  kernel.fib.apply(route(kV4, {leg(1, "10.0.0.2"), leg(2, "10.0.1.2")}));
  CHECK(kernel.fib.apply(gone(route(kV4, {leg(1, "10.0.0.2")}))) == Meaning::ambiguous);
  CHECK(kernel.best(kV4) == "none");
}

TEST_CASE("the deletion of some IPv6 legs leaves the others, and asks for a dump", "[routes]") {
  Kernel kernel;
  const auto all = route(kV6, {leg(1, "fe80::1"), leg(2, "fe80::1"), leg(3, "fe80::1")});
  CHECK(kernel.fib.apply(all) == Meaning::clear);
  CHECK(kernel.fib.apply(gone(route(kV6, {leg(2, "fe80::1")}))) == Meaning::ambiguous);
  CHECK(kernel.best(kV6) == "1 3");
  CHECK(kernel.fib.apply(gone(route(kV6, {leg(1, "fe80::1"), leg(3, "fe80::1")}))) ==
        Meaning::clear);
  CHECK(kernel.best(kV6) == "none");
}

TEST_CASE("an IPv6 message tells the merged set whole", "[routes]") {
  Kernel kernel;
  kernel.fib.apply(route(kV6, {leg(1, "fe80::1")}));
  CHECK(kernel.fib.apply(route(kV6, {leg(1, "fe80::1"), leg(2, "fe80::1")}, Place::last)) ==
        Meaning::clear);
  CHECK(kernel.best(kV6) == "1 2");
}

TEST_CASE("routes from router advertisements are the kernel's business", "[routes]") {
  Kernel kernel;
  RouteMessage advertised = route("::/0", {leg(1, "fe80::1")});
  advertised.protocol = RTPROT_RA;
  kernel.fib.apply(advertised);
  CHECK(kernel.best("::/0") == "kernel");
}

TEST_CASE("the object of a nexthop counts, not what the route said of it", "[routes]") {
  Kernel kernel;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    NexthopMessage single;
    single.id = id;
    single.leg = leg(id, "10.0.0.2");
    kernel.fib.apply(single);
  }
  NexthopMessage group;
  group.id = 10;
  group.members = {{1, 1}, {2, 5}};
  kernel.fib.apply(group);
  RouteMessage by_object = route(kV4, {leg(1, "10.0.0.2"), leg(2, "10.0.0.2")});
  by_object.hops.nexthop_object = 10;
  kernel.fib.apply(by_object);
  CHECK(kernel.best(kV4) == "1 2");
  group.members = {{3, 1}};
  CHECK(kernel.fib.apply(group) == Meaning::clear);
  CHECK(kernel.best(kV4) == "3");

  // Objects that nothing uses go unnoticed; one in use does not.
  NexthopMessage unused;
  unused.gone = true;
  unused.id = 1;
  CHECK(kernel.fib.apply(unused) == Meaning::clear);
  unused.id = 3;
  CHECK(kernel.fib.apply(unused) == Meaning::ambiguous);
}

TEST_CASE("ten thousand sets come and go without being kept", "[routes]") {
  Kernel kernel;
  for (std::uint32_t n = 0; n < 10000; ++n)
    kernel.fib.apply(route(kV4, {leg(1, "10.0.0.2", n + 1), leg(2, "10.0.1.2")}, Place::instead));
  CHECK(kernel.best(kV4) == "1 2");
  CHECK(kernel.fib.best(*Prefix::parse(kV4))->front().weight == 10000);
  CHECK(kernel.fib.sets() <= 1024);
}

namespace {

NeighbourMessage neighbour(std::uint32_t link, const char* address, std::uint8_t last) {
  return {{link, *IpAddress::parse(address)}, true, EthernetAddress{2, 0, 0, 0, 0, last}};
}

RouteMessage on_link_route(const char* prefix, std::uint32_t link) {
  return route(prefix, {{link, std::nullopt, 1, false}});
}

}  // namespace

TEST_CASE("one router twice in a set is one nexthop with both weights", "[routes]") {
  Kernel kernel;
  kernel.fib.apply(route(kV4, {leg(1, "10.0.0.2"), leg(1, "fe80::2", 3), leg(2, "10.0.1.2")}));
  CHECK(kernel.best(kV4) == "1 1 2");
  kernel.fib.apply(neighbour(1, "10.0.0.2", 7));
  kernel.fib.apply(neighbour(2, "10.0.1.2", 7));  // on another link: another router
  CHECK(kernel.changes().empty());
  kernel.fib.apply(neighbour(1, "fe80::2", 7));
  CHECK(kernel.changes().size() == 1);
  CHECK(kernel.best(kV4) == "1 2");
  const WeightedNexthop first = kernel.fib.best(*Prefix::parse(kV4))->front();
  CHECK(first == WeightedNexthop{{1, *IpAddress::parse("10.0.0.2")}, 4});

  // It does not answer for a while: still the same router. Another address: another one.
  NeighbourMessage silent = neighbour(1, "fe80::2", 7);
  silent.valid = false;
  kernel.fib.apply(silent);
  kernel.fib.apply(neighbour(1, "10.0.0.2", 7));
  CHECK(kernel.changes().empty());
  kernel.fib.apply(neighbour(1, "fe80::2", 8));
  CHECK(kernel.best(kV4) == "1 1 2");
}

TEST_CASE("the same gateway address on every link is another router on each", "[routes]") {
  Kernel kernel;
  kernel.fib.apply(neighbour(1, "169.254.0.1", 1));
  kernel.fib.apply(neighbour(2, "169.254.0.1", 2));
  kernel.fib.apply(route(kV4, {leg(1, "169.254.0.1"), leg(2, "169.254.0.1")}));
  CHECK(kernel.best(kV4) == "1 2");
  CHECK(kernel.fib.neighbour({1, *IpAddress::parse("169.254.0.1")}).resolved);
}

TEST_CASE("a route of another protocol is left to the kernel, and still comes first", "[routes]") {
  Fib fib(RT_TABLE_MAIN, {186});
  fib.apply(link(1, true));
  RouteMessage by_bgp = route(kV4, {leg(1, "10.0.0.2")});
  by_bgp.protocol = 186;
  by_bgp.metric = 20;
  fib.apply(by_bgp);
  REQUIRE(fib.best(*Prefix::parse(kV4)));
  CHECK(fib.best(*Prefix::parse(kV4))->size() == 1);
  RouteMessage by_hand = route(kV4, {leg(1, "10.0.0.3")});
  by_hand.protocol = RTPROT_STATIC;
  fib.apply(by_hand);
  CHECK(fib.best(*Prefix::parse(kV4))->empty());
}

TEST_CASE("the extremes of length are prefixes like others", "[routes]") {
  Kernel kernel;
  for (const char* prefix : {"0.0.0.0/0", "255.255.255.255/32", "::/0", "2001:db8::1/128"}) {
    kernel.fib.apply(route(prefix, {leg(1, "fe80::1")}));
    CHECK(kernel.best(prefix) == "1");
    kernel.fib.apply(gone(route(prefix, {leg(1, "fe80::1")})));
    CHECK(kernel.best(prefix) == "none");
  }
  CHECK(kernel.fib.size() == 0);
}

TEST_CASE("a million notifications of the same route tell nothing", "[routes]") {
  Kernel kernel;
  const RouteMessage same = route(kV4, {leg(1, "10.0.0.2"), leg(2, "10.0.1.2")}, Place::instead);
  kernel.fib.apply(same);
  CHECK(kernel.changes().size() == 1);
  for (int n = 0; n < 1000000; ++n) kernel.fib.apply(same);
  CHECK(kernel.changes().empty());
}

TEST_CASE("a BGP next hop is the gateway that routes know its router by", "[routes]") {
  Kernel kernel;
  const auto ip = [](const char* text) { return *IpAddress::parse(text); };
  const auto on_link = [&](const char* nexthop, const char* link_local = nullptr) {
    const auto key = kernel.fib.on_link(
        ip(nexthop), link_local == nullptr ? std::nullopt : std::optional(ip(link_local)));
    return key ? key->gateway.text() + '@' + std::to_string(key->ifindex) : std::string("none");
  };
  kernel.fib.apply(on_link_route("10.0.0.0/24", 1));
  kernel.fib.apply(on_link_route("2001:db8:1::/64", 2));
  RouteMessage own = on_link_route("10.0.0.1/32", 1);
  own.table = RT_TABLE_LOCAL;
  kernel.fib.apply(own);
  CHECK(on_link("10.0.0.2") == "10.0.0.2@1");
  CHECK(on_link("10.0.0.1") == "none");      // ourselves
  CHECK(on_link("198.51.100.1") == "none");  // no route
  kernel.fib.apply(route("198.51.100.0/24", {leg(1, "10.0.0.2")}));
  CHECK(on_link("198.51.100.1") == "none");  // behind a gateway
  CHECK(on_link("2001:db8:1::2", "fe80::2") == "fe80::2@2");
  CHECK(on_link("2001:db8:1::2") == "2001:db8:1::2@2");

  // The kernel's routes know the second router by its link-local address alone.
  kernel.fib.apply(route(kV6, {leg(2, "fe80::2")}));
  kernel.fib.apply(neighbour(2, "fe80::2", 7));
  kernel.fib.apply(neighbour(2, "2001:db8:1::2", 7));
  CHECK(on_link("2001:db8:1::2") == "fe80::2@2");
  CHECK(on_link("fe80::2") == "fe80::2@2");
  kernel.fib.apply(neighbour(3, "fe80::2", 9));
  CHECK(on_link("fe80::2") == "none");  // on two links
}
