// The comparison behind `hopwise verify`, over tables in plain memory: filled by the data plane's
// own route tables, then spoilt by hand, one kind of fault at a time.
#include "core/dataplane/comparison.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "core/dataplane/routes.hpp"
#include "test/unit/dataplane/fib_world.hpp"

using namespace hopwise;
using namespace hopwise::dataplane;
using namespace hopwise::test;

namespace {

constexpr std::uint32_t kFirstPath = 16;  // of group g: g * 16 and on

NexthopKey gateway(std::uint32_t n) {
  return {n, *IpAddress::parse("192.0.2." + std::to_string(n))};
}

Prefix prefix(const std::string& text) {
  return *Prefix::parse(text);
}

/// Nexthops 1 to 4, groups 1 = {1, 2}, 2 = {3, 4}, 3 = {1 x2, 4}, and routes.
class World {
 public:
  World() : table_(memory_.arrays(), no_readers) {
    for (std::uint32_t n = 1; n <= 4; ++n) {
      hw_nexthop& entry = nexthops_[n];
      entry.ifindex = n;
      entry.family = AF_INET;
      entry.flags = HW_NEXTHOP_USABLE;
      std::memcpy(entry.gateway, gateway(n).gateway.bytes.data(), sizeof(entry.gateway));
      states_[gateway(n)] = {.interface_known = true,
                             .interface = "wan" + std::to_string(n),
                             .link_up = true,
                             .neighbour_resolved = true,
                             .on_link = true};
    }
    group(1, {{1, 1}, {2, 1}});
    group(2, {{3, 1}, {4, 1}});
    group(3, {{1, 2}, {4, 1}});
  }

  void group(std::uint32_t id, const std::vector<std::pair<std::uint32_t, std::uint32_t>>& paths) {
    hw_group& entry = groups_[id];
    entry.count = static_cast<__u32>(paths.size());
    for (std::uint32_t i = 0; i < paths.size(); ++i) {
      const std::uint32_t path = id * kFirstPath + i;
      entry.path[i] = path;
      paths_[path] = {id, paths[i].first, HW_PATH_USABLE, paths[i].second};
    }
    for (std::uint32_t b = 0; b < HW_BUCKETS; ++b)
      buckets_[id * HW_BUCKETS + b].path =
          id * kFirstPath + b % static_cast<std::uint32_t>(paths.size());
  }

  /// Set in the tables, and expected: `group` 0 leaves it to the kernel.
  void route(const std::string& text, std::uint32_t group) {
    install(text, group == 0 ? HW_ROUTE_KERNEL : group);
    expect(text, group);
  }
  void install(const std::string& text, std::uint32_t group) {
    REQUIRE(table_.set(prefix(text), group).has_value());
  }
  void uninstall(const std::string& text) { REQUIRE(table_.remove(prefix(text)).has_value()); }
  void expect(const std::string& text, std::uint32_t group) { routes_[prefix(text)] = group; }

  Verification look(TimePoint now = TimePoint{}) {
    Expectation expectation;
    expectation.sets.push_back({{gateway(1), 1}, {gateway(2), 1}});
    expectation.sets.push_back({{gateway(3), 1}, {gateway(4), 1}});
    expectation.sets.push_back({{gateway(1), 2}, {gateway(4), 1}});
    expectation.sets.push_back({{gateway(1), 1}});  // 4: one nexthop alone
    expectation.sets.insert(expectation.sets.end(), more_sets_.begin(), more_sets_.end());
    for (const auto& [where, set] : routes_) expectation.add(where, set);
    expectation.gateway = [this](const NexthopKey& key) { return states_[key]; };
    expectation.programs = [this](const Uplinks& uplinks) {
      uplinks_ = uplinks;
      return programs_wanted_;
    };
    const RouteArrays arrays = memory_.arrays();
    const InstalledTables tables{arrays.routes4, arrays.blocks4, arrays.routes6,
                                 arrays.nodes6,  groups_,        buckets_,
                                 paths_,         nexthops_,      &arrays.router};
    return compare({tables, {7}, programs_}, expectation, now);
  }
  /// "stale_route 203.0.113.0/24; ..." of one look.
  std::string faults() {
    std::string text;
    for (const Difference& d : look().differences.kept())
      text += (text.empty() ? "" : "; ") + std::string(name(d.fault)) + ' ' + d.subject;
    return text;
  }

  RouteMemory memory_;
  std::vector<hw_group> groups_ = std::vector<hw_group>(HW_MAX_GROUPS);
  std::vector<hw_bucket> buckets_ = std::vector<hw_bucket>(std::size_t{HW_MAX_GROUPS} * HW_BUCKETS);
  std::vector<hw_path> paths_ = std::vector<hw_path>(HW_MAX_PATHS);
  std::vector<hw_nexthop> nexthops_ = std::vector<hw_nexthop>(HW_MAX_NEXTHOPS);
  std::map<NexthopKey, GatewayState> states_;
  std::vector<InstalledProgram> programs_;
  std::vector<ExpectedProgram> programs_wanted_;
  std::vector<ExpectedSet> more_sets_;  // 5 and on
  Uplinks uplinks_;
  RouteTable table_;
  std::map<Prefix, std::uint32_t> routes_;
};

}  // namespace

TEST_CASE("the sweep finds the longest match of every address", "[verify]") {
  std::mt19937 random(11);
  NaiveMatcher naive;
  std::vector<RouteTo<Address4>> routes;
  std::set<Prefix> taken;
  for (std::uint32_t i = 1; i < 400; ++i) {
    IpAddress address = *IpAddress::parse("10.0.0.0");
    address.bytes[2] = static_cast<std::uint8_t>(random() % 4);
    address.bytes[3] = static_cast<std::uint8_t>(random());
    const Prefix drawn = Prefix::covering(address, static_cast<int>(16 + random() % 17));
    if (!taken.insert(drawn).second) continue;
    naive.set(drawn, i);
    Expectation one;
    one.add(drawn, i);
    routes.push_back(one.routes4[0]);
  }
  sort_routes(routes);
  LongestMatch<Address4> sweep(routes);
  std::size_t segments = 0;
  for (Address4 at = 0x09ffff00;; ++segments) {
    const auto segment = sweep.at(at);
    REQUIRE(segment.last >= at);
    for (const Address4 probe : {at, at + (segment.last - at) / 2, segment.last}) {
      IpAddress address{Family::v4, {}};
      for (std::size_t b = 0; b < 4; ++b)
        address.bytes[b] = static_cast<std::uint8_t>(probe >> (24 - 8 * b));
      const std::uint32_t found = segment.route ? routes[*segment.route].to : 0;
      REQUIRE(found == naive.find(address));
    }
    if (segment.last == 0xffffffff) break;
    at = segment.last + 1;
  }
  CHECK(segments > 100);
}

TEST_CASE("tables that the data plane fills are equal to the routes, at every address",
          "[verify]") {
  World world;
  std::mt19937 random(5);
  const auto draw = [&](Family family) {
    IpAddress address = *IpAddress::parse(family == Family::v4 ? "0.0.0.0" : "2000::");
    for (std::size_t i = family == Family::v4 ? 0 : 1; i < address.size(); ++i)
      address.bytes[i] = static_cast<std::uint8_t>(random() % 2 == 0 ? random() : 0);
    const int most = address.bits();
    return Prefix::covering(address,
                            static_cast<int>(random() % (static_cast<unsigned>(most) + 1)));
  };
  for (int i = 0; i < 4000; ++i)
    world.route(draw(i % 2 == 0 ? Family::v4 : Family::v6).text(), random() % 4);
  CHECK(world.faults().empty());
  const auto counts = world.look().counts;
  CHECK(counts.routes4 + counts.routes6 == world.routes_.size());
  CHECK(counts.segments4 > 1000);
  CHECK(counts.segments6 > 1000);
  CHECK(counts.groups == 3);

  // Any one route that is wrong is found, whatever covers it and whatever it covers.
  for (int i = 0; i < 6; ++i) {
    auto it = world.routes_.begin();
    std::advance(it, static_cast<long>(random() % world.routes_.size()));
    const std::uint32_t group = it->second;
    const std::string text = it->first.text();
    world.install(text, group == 1 ? 2 : 1);
    CAPTURE(text);
    const std::string faults = world.faults();
    // Unless longer ones hide all of it.
    if (!faults.empty()) CHECK(faults == (group == 0 ? "stale_route " : "other_nexthops ") + text);
    world.install(text, group == 0 ? HW_ROUTE_KERNEL : group);
    CHECK(world.faults().empty());
  }
}

TEST_CASE("each fault of a route is told as what it is", "[verify]") {
  World world;
  world.route("0.0.0.0/0", 1);
  world.route("203.0.113.0/24", 2);
  world.route("203.0.113.128/25", 1);
  world.route("198.51.100.0/24", 0);
  world.route("::/0", 3);
  world.route("2001:db8::/32", 1);
  world.route("2001:db8:1::/48", 2);
  REQUIRE(world.faults().empty());

  SECTION("the kernel's where it should be steered") {
    world.install("203.0.113.128/25", HW_ROUTE_KERNEL);
    CHECK(world.faults() == "not_steered 203.0.113.128/25");
    CHECK(world.look().differences.kept()[0].detail ==
          "should go by 192.0.2.1@wan1, 192.0.2.2@wan2");
  }
  SECTION("missing, so that a shorter one serves") {
    world.uninstall("2001:db8:1::/48");
    CHECK(world.faults() == "other_nexthops 2001:db8:1::/48");
    CHECK(world.look().differences.kept()[0].detail ==
          "leads to group 1 (192.0.2.1@wan1, 192.0.2.2@wan2) instead of 192.0.2.3@wan3, "
          "192.0.2.4@wan4");
  }
  SECTION("stale: a longer one that routing does not have") {
    world.install("203.0.113.7/32", 1);
    world.install("2001:db8:1:2::/64", 3);
    CHECK(world.faults() == "other_nexthops 2001:db8:1::/48; other_nexthops 203.0.113.0/24");
  }
  SECTION("stale: steered where nothing is routed") {
    world.routes_.erase(prefix("0.0.0.0/0"));
    world.uninstall("0.0.0.0/0");
    REQUIRE(world.faults().empty());
    world.install("100.64.0.0/10", 1);
    world.install("198.51.100.7/32", 2);
    CHECK(world.faults() == "stale_route 100.64.0.0/10; stale_route 198.51.100.0/24");
  }
  SECTION("other weights are other nexthops") {
    world.expect("203.0.113.0/24", 3);
    CHECK(world.faults() == "other_nexthops 203.0.113.0/24");
  }
  SECTION("a group that is not there") {
    world.install("203.0.113.0/24", 77);
    CHECK(world.faults() == "dangling_route 203.0.113.0/24");
  }
  SECTION("a block that is met twice, a node that there is not") {
    const RouteArrays arrays = world.memory_.arrays();
    const std::uint32_t slot = 0xcb0071;  // 203.0.113
    arrays.routes4[(slot + 1) / 4].slot[(slot + 1) % 4] = arrays.routes4[slot / 4].slot[slot % 4];
    const std::uint32_t first = 0x20010;
    arrays.routes6[(first + 0x100) / 2].slot[first % 2] = 0xfffff000U;
    CHECK(world.faults() == "dangling_route 0.0.0.0/0; dangling_route ::/0");
  }
  SECTION("what is the kernel's for want of ids is no fault") {
    world.install("203.0.113.0/24", HW_ROUTE_KERNEL);
    for (std::uint32_t id = 4; id < HW_MAX_GROUPS; ++id) world.groups_[id].count = 1;
    const auto look = world.look();
    CHECK(look.counts.no_ids == 1);
    CHECK(look.differences.count(Fault::not_steered) == 0);
  }
}

TEST_CASE("candidates beyond the route's own nexthops are no difference", "[verify]") {
  World world;
  world.group(4, {{1, 1}, {2, 0}});
  world.expect("203.0.113.0/24", 4);  // set 4: nexthop 1 alone
  SECTION("left to the kernel, as a single nexthop is") {
    CHECK(world.faults().empty());
  }
  SECTION("steered with a candidate beside it") {
    world.install("203.0.113.0/24", 4);
    CHECK(world.faults().empty());
    CHECK(world.look().counts.candidate_paths == 1);
  }
  SECTION("but one that is not on the link is") {
    world.install("203.0.113.0/24", 4);
    world.states_[gateway(2)].on_link = false;
    CHECK(world.faults() == "candidate_off_link 192.0.2.2@wan2");
  }
  SECTION("and another one of routing's own is") {
    world.install("203.0.113.0/24", 1);
    CHECK(world.faults() == "other_nexthops 203.0.113.0/24");
  }
}

TEST_CASE("each fault of a group, a bucket or a nexthop is told as what it is", "[verify]") {
  World world;
  world.route("203.0.113.0/24", 1);
  world.route("2001:db8::/32", 2);
  REQUIRE(world.faults().empty());

  SECTION("paths of another group") {
    world.paths_[kFirstPath + 1].group = 2;
    CHECK(world.faults() == "broken_group group 1");
  }
  SECTION("a path that leads to no nexthop") {
    world.nexthops_[2].ifindex = 0;
    CHECK(world.faults() == "other_nexthops 203.0.113.0/24; broken_group group 1");
  }
  SECTION("a bucket that holds another group's path") {
    world.buckets_[HW_BUCKETS + 5].path = 2 * kFirstPath;
    CHECK(world.faults() == "stray_bucket group 1");
  }
  SECTION("a bucket of a path that is not usable") {
    world.paths_[kFirstPath].flags = 0;
    CHECK(world.faults() == "dead_bucket group 1 by 192.0.2.1@wan1");
    world.paths_[kFirstPath + 1].flags = 0;  // nowhere to move to
    CHECK(world.faults().empty());
  }
  SECTION("a nexthop that is usable while it is down, and the other way round") {
    world.states_[gateway(1)].link_up = false;
    world.nexthops_[4].flags = 0;
    CHECK(world.faults() ==
          "dead_bucket group 2 by 192.0.2.4@wan4; usable_while_down 192.0.2.1@wan1; "
          "unusable_while_up 192.0.2.4@wan4");
    world.programs_.push_back({{9, "lan0", Role::lan_return}, {7}});
    world.programs_wanted_.push_back({{9, "lan0", Role::lan_return}, true});
    CHECK(world.look().counts.marks_lead_nowhere == 1);
  }
  SECTION("a nexthop that BFD keeps out is none") {
    world.nexthops_[4].flags = HW_NEXTHOP_HELD;
    world.paths_[2 * kFirstPath + 1].flags = 0;
    for (std::uint32_t b = 0; b < HW_BUCKETS; ++b)
      world.buckets_[2 * HW_BUCKETS + b].path = 2 * kFirstPath;
    CHECK(world.faults().empty());
    CHECK(world.look().counts.held_by_bfd == 1);
  }
  SECTION("an interface that is gone") {
    world.states_[gateway(3)] = {};
    CHECK(world.faults() == "unknown_nexthop 192.0.2.3@3; usable_while_down 192.0.2.3@3");
  }
  SECTION("addresses that are not the kernel's") {
    world.states_[gateway(2)].link = Link{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, 1500};
    hw_nexthop& entry = world.nexthops_[2];
    entry.flags |= HW_NEXTHOP_DIRECT;
    entry.mtu = 1500;
    entry.link[0] = entry.link[6] = 2;
    entry.link[5] = 1;
    entry.link[11] = 2;
    CHECK(world.faults().empty());
    entry.link[5] = 9;
    entry.mtu = 9000;
    CHECK(world.faults() == "link_address 192.0.2.2@wan2");
    CHECK(world.look().differences.kept()[0].detail ==
          "gateway 02:00:00:00:00:09 instead of 02:00:00:00:00:01; MTU 9000 instead of 1500");
  }
  SECTION("what no route leads to is counted, and not judged") {
    world.buckets_[3 * HW_BUCKETS].path = 0;
    const auto counts = world.look().counts;
    CHECK(counts.groups == 2);
    CHECK(counts.unused_groups == 1);
    CHECK(world.faults().empty());
  }
}

TEST_CASE("groups of classes and destinations are told apart from others", "[verify]") {
  World world;
  world.route("203.0.0.0/16", 1);
  world.group(4, {{1, 1}, {2, 1}});
  SECTION("a class is served over the same nexthops") {
    world.groups_[4].kind = HW_GROUP_CLASS;
    world.groups_[4].traffic_class = 2;
    world.groups_[1].class_group[2] = 4;
    CHECK(world.faults().empty());
    CHECK(world.look().counts.class_groups == 1);
    world.groups_[1].class_group[2] = 2;
    CHECK(world.faults() == "class_group group 1");
    world.groups_[1].class_group[2] = 55;
    CHECK(world.faults() == "class_group group 1");
    world.groups_[1].class_group[2] = 4;
    world.group(4, {{3, 1}, {2, 1}});
    CHECK(world.faults() == "class_group group 1");
  }
  SECTION("a destination has a group of its own over its route's nexthops") {
    world.groups_[4].kind = HW_GROUP_DESTINATION;
    world.install("203.0.113.0/24", 4);
    CHECK(world.faults().empty());
    CHECK(world.look().counts.destinations == 1);
    world.install("203.0.200.0/24", 4);
    CHECK(world.faults() == "destination_group group 4");
    world.uninstall("203.0.200.0/24");
    world.group(4, {{3, 1}, {4, 1}});
    CHECK(world.faults() == "other_nexthops 203.0.0.0/16");
  }
}

TEST_CASE("programs are compared with the roles of the interfaces", "[verify]") {
  World world;
  world.route("203.0.113.0/24", 1);
  world.programs_wanted_ = {{{1, "wan1", Role::wan}, true}, {{9, "lan0", Role::lan}, true}};
  world.programs_ = {{{1, "wan1", Role::wan}, {5, 7}}, {{9, "lan0", Role::lan}, {7}}};
  CHECK(world.faults().empty());
  CHECK(world.uplinks_.used == std::set<std::uint32_t>{1, 2});
  CHECK(world.uplinks_.unused == std::set<std::uint32_t>{1, 3, 4});
  world.programs_.pop_back();
  CHECK(world.faults() == "program_missing steer on lan0 (lan)");
  world.programs_ = {{{1, "wan1", Role::wan}, {5}},
                     {{9, "lan0", Role::lan}, {7}},
                     {{8, "old0", Role::local}, {7}}};
  CHECK(world.faults() ==
        "program_stray local on old0 (local); program_apart observe on wan1 (wan)");
}

TEST_CASE("the lease is told as it is", "[verify]") {
  World world;
  const TimePoint now{std::chrono::seconds(100)};
  CHECK_FALSE(world.look(now).lease_left);
  world.memory_.arrays().router.expires_ns = 103'000'000'000;
  CHECK(world.look(now).lease_left == std::chrono::seconds(3));
}

// Of a router with two addresses on one link the daemon may remember what the kernel has forgotten.
TEST_CASE("a gateway without a neighbour entry may be one that the daemon has joined", "[verify]") {
  World world;
  const NexthopKey again{1, *IpAddress::parse("fe80::1")};  // on the link of nexthop 1
  world.states_[again] = world.states_[gateway(1)];
  world.states_[again].neighbour_resolved = false;
  world.more_sets_ = {{{gateway(1), 1}, {again, 1}, {gateway(4), 1}},
                      {{gateway(1), 1}, {again, 1}}};
  world.install("203.0.113.0/24", 3);  // {1 x2, 4}
  world.expect("203.0.113.0/24", 5);
  CHECK(world.faults().empty());
  world.route("198.51.100.0/24", 0);  // one nexthop is left: the kernel's
  world.expect("198.51.100.0/24", 6);
  CHECK(world.faults().empty());

  SECTION("not where both answer") {
    world.states_[again].neighbour_resolved = true;
    CHECK(world.faults() == "not_steered 198.51.100.0/24; other_nexthops 203.0.113.0/24");
  }
  SECTION("not with other weights") {
    world.paths_[3 * kFirstPath].kernel_weight = 3;
    CHECK(world.faults() == "other_nexthops 203.0.113.0/24");
  }
  SECTION("not on another link") {
    world.more_sets_[0] = {{gateway(1), 1}, {gateway(2), 1}, {gateway(4), 1}};
    world.states_[gateway(2)].neighbour_resolved = false;
    CHECK_THAT(world.faults(), Catch::Contains("other_nexthops 203.0.113.0/24"));
  }
}

TEST_CASE("a difference of routes tells where it was seen", "[verify]") {
  World world;
  world.route("198.51.100.0/22", 1);
  world.install("198.51.101.0/24", 2);
  world.expect("203.0.113.0/24", 2);
  const auto found = world.look().differences.kept();
  REQUIRE(found.size() == 2);
  CHECK(found[0].place == IpAddress::parse("203.0.113.0"));
  CHECK(found[1].subject == "198.51.100.0/22");
  CHECK(found[1].place == IpAddress::parse("198.51.101.0"));
}
