// The programs' route lookup, over the daemon's own route table: what a packet's destination finds.
#include <map>
#include <optional>
#include <random>

#include "core/dataplane/places.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

constexpr std::uint32_t kGroups = 4;

// Group g has one path, by nexthop g: the nexthop that a packet takes tells the group.
void nexthops_as_groups(Router& router) {
  for (std::uint32_t g = 1; g <= kGroups; ++g) {
    router.nexthop(g, "2001:db8:2::" + std::to_string(g));
    router.group(g, {{g, 1}});
  }
}

PacketSpec packet_to(const IpAddress& destination) {
  PacketSpec spec;
  if (!destination.is_v4()) spec = to_v6(spec);
  spec.destination = destination.text();
  return spec;
}

// Unicast addresses in which prefixes of every length cover each other.
IpAddress draw_address(Family family, std::mt19937& random) {
  IpAddress address = *IpAddress::parse(family == Family::v4 ? "10.0.0.0" : "2001:db8::");
  const std::size_t fixed = family == Family::v4 ? 1 : 2;
  for (std::size_t i = fixed; i < address.size(); ++i)
    address.bytes[i] = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 2 * 255);
  return address;
}

// The group that the program found: a nexthop, 0 for the kernel's, none for no route.
std::optional<std::uint32_t> found_by_program(Router& router, const IpAddress& destination) {
  const PacketSpec spec = packet_to(destination);
  const std::string reason = router.steer(build(spec)).reason;
  if (reason == "no_route") return std::nullopt;
  if (reason == "kernel_route") return 0;
  CHECK(reason == "steered");
  return router.nexthop_of(spec);
}

}  // namespace

TEST_CASE("the program finds what the longest match is", "[bpf]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  CAPTURE(family);
  Router router;
  nexthops_as_groups(router);
  std::mt19937 random(7);
  std::map<Prefix, std::uint32_t> routes;
  const auto longest_match = [&](const IpAddress& address) -> std::optional<std::uint32_t> {
    for (int length = address.bits(); length >= 0; --length)
      if (const auto route = routes.find(Prefix::covering(address, length)); route != routes.end())
        return route->second;
    return std::nullopt;
  };
  for (int round = 0; round < 400; ++round) {
    const IpAddress address = draw_address(family, random);
    const int bits = address.bits();
    const Prefix prefix =
        Prefix::covering(address, static_cast<int>(random() % static_cast<unsigned>(bits + 1)));
    if (random() % 4 == 0 && !routes.empty()) {
      const auto gone = std::next(routes.begin(), static_cast<int>(random() % routes.size()));
      REQUIRE(router.dataplane().remove_route(gone->first));
      routes.erase(gone);
    } else {
      routes[prefix] = static_cast<std::uint32_t>(random() % (kGroups + 1));
      router.route(prefix.text(), routes[prefix]);
    }
    for (const IpAddress& to : {address, draw_address(family, random)}) {
      INFO("round " << round << ", to " << to.text());
      REQUIRE(found_by_program(router, to) == longest_match(to));
    }
  }
}

TEST_CASE("the program finds prefixes of every length, to the last bit", "[bpf]") {
  Router router;
  nexthops_as_groups(router);
  for (const char* text : {"203.0.113.77", "2001:db8:1234:5678:9abc:def0:1234:5677"}) {
    const IpAddress address = *IpAddress::parse(text);
    for (int length = 0; length <= address.bits(); ++length) {
      const Prefix prefix = Prefix::covering(address, length);
      const auto group = static_cast<std::uint32_t>(length) % kGroups + 1;
      router.route(prefix.text(), group);
      INFO(prefix.text());
      REQUIRE(found_by_program(router, address) == group);
    }
    // Off by the last bit: the route before the longest.
    IpAddress beside = address;
    beside.bytes[address.size() - 1] ^= 1;
    CHECK(found_by_program(router, beside) ==
          static_cast<std::uint32_t>(address.bits() - 1) % kGroups + 1);
  }
}

TEST_CASE("after a restart the old routes answer until the sweep", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.route("203.0.113.0/24", 0);
  router.route("2001:db8:ff::/48", 0);
  router.restart();
  router.two_upstreams();
  CHECK(router.steer(build({})).reason == "kernel_route");
  CHECK(router.steer(build(to_v6({}))).reason == "kernel_route");
  REQUIRE(router.dataplane().sweep_routes());
  CHECK(router.steer(build({})).reason == "steered");
  CHECK(router.steer(build(to_v6({}))).reason == "steered");

  router.route("203.0.113.0/24", 0);
  CHECK(router.steer(build({})).reason == "kernel_route");
}

TEST_CASE("a grace period is waited for", "[bpf]") {
  const auto wait = dataplane::programs_grace_period();
  CHECK(wait());
  CHECK(wait());
}
