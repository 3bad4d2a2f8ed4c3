// Tables at their limits, and entries that no daemon would write: a packet then takes the kernel's
// route or a usable nexthop of its own group, and is counted; never another one.
#include <bpf/bpf.h>

#include <limits>

#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;

namespace {

constexpr std::uint32_t kLastNexthop = HW_MAX_NEXTHOPS - 1, kLastGroup = HW_MAX_GROUPS - 1,
                        kLastPath = HW_MAX_PATHS - 1;

template <typename Entry>
Entry read(const Router& router, const char* map, std::uint32_t id) {
  Entry entry{};
  REQUIRE(bpf_map_lookup_elem(router.map_fd(map), &id, &entry) == 0);
  return entry;
}

template <typename Entry>
void write(const Router& router, const char* map, std::uint32_t id, const Entry& entry) {
  REQUIRE(bpf_map_update_elem(router.map_fd(map), &id, &entry, BPF_ANY) == 0);
}

// One packet each of 32 new flows to the address: where they went. Empty: not all alike.
std::string fate_of_new_flows(Router& router, const std::string& destination) {
  static std::uint16_t port = 1024;
  std::string fate;
  for (int flow = 0; flow < 32; ++flow) {
    PacketSpec spec;
    spec.destination = destination;
    spec.source_port = ++port;
    const Outcome outcome = router.steer(build(spec));
    CHECK((outcome.verdict == kRedirect) == (outcome.reason == "steered"));
    if (outcome.verdict != kRedirect) CHECK(outcome.bytes == build(spec));
    if (flow > 0 && outcome.reason != fate) return "";
    fate = outcome.reason;
  }
  return fate;
}

PacketSpec to(const std::string& destination, std::uint32_t n = 0) {
  PacketSpec spec;
  spec.destination = destination;
  spec.source_port = static_cast<std::uint16_t>(20000 + n);
  return spec;
}

constexpr std::uint32_t kWild[] = {
    0, kLastPath + 1, 12345678, 0x7fffffff, 0xffff0001U, std::numeric_limits<std::uint32_t>::max()};

}  // namespace

TEST_CASE("the last nexthop, path and group work like the first", "[bpf]") {
  Router router;
  for (std::uint32_t id = 1; id <= kLastNexthop; ++id)
    router.nexthop(id, "10.9." + std::to_string(id / 250) + "." + std::to_string(1 + id % 250));
  auto& dataplane = router.dataplane();
  std::vector<std::uint32_t> groups{1, 2, kLastGroup - 1, kLastGroup};
  for (std::uint32_t i = 0; i < groups.size(); ++i) {
    const std::uint32_t hop = i % 2 == 0 ? kLastNexthop - i : 1 + i;
    REQUIRE(
        dataplane.set_group({GroupId{groups[i]}, {{PathId{kLastPath - i}, NexthopId{hop}, 1}}}));
    router.route("198.51." + std::to_string(i) + ".0/24", groups[i]);
    const PacketSpec spec = to("198.51." + std::to_string(i) + ".7");
    CHECK(router.steer(build(spec)).reason == "steered");
    const auto flow = router.embryo(spec);
    REQUIRE(flow);
    CHECK(flow->nexthop == hop);
    CHECK(flow->path == kLastPath - i);
  }
  CHECK_FALSE(dataplane.set_group({GroupId{HW_MAX_GROUPS}, {{PathId{1}, NexthopId{1}, 1}}}));
  CHECK_FALSE(dataplane.set_group({GroupId{3}, {{PathId{HW_MAX_PATHS}, NexthopId{1}, 1}}}));
  CHECK_FALSE(dataplane.set_nexthop(
      {NexthopId{HW_MAX_NEXTHOPS}, {1, *IpAddress::parse("192.0.2.9")}, "lo", ""}));
}

TEST_CASE("every group id leads to its own nexthop", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.nexthop(2, "192.0.2.2");
  for (std::uint32_t id = 1; id <= kLastGroup; ++id)
    REQUIRE(router.dataplane().set_group({GroupId{id}, {{PathId{id}, NexthopId{1 + id % 2}, 1}}}));
  for (std::uint32_t id = 1; id <= kLastGroup; ++id)
    router.route("10." + std::to_string(id / 250) + "." + std::to_string(id % 250) + ".0/24", id);
  for (std::uint32_t id = 1; id <= kLastGroup; id += 41) {
    const PacketSpec spec =
        to("10." + std::to_string(id / 250) + "." + std::to_string(id % 250) + ".9");
    REQUIRE(router.steer(build(spec)).reason == "steered");
    const auto flow = router.embryo(spec);
    REQUIRE(flow);
    CHECK(flow->path == id);
    CHECK(flow->nexthop == 1 + id % 2);
  }
}

TEST_CASE("a bucket that names no path of its group sends its flows to one that is", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.nexthop(2, "192.0.2.2");
  router.group(1, {{1, 1}});
  router.group(2, {{2, 1}});
  router.route("0.0.0.0/0", 1);
  std::vector<std::uint32_t> paths(std::begin(kWild), std::end(kWild));
  paths.push_back(33);  // group 2's
  for (const std::uint32_t path : paths) {
    INFO("bucket's path " << path);
    for (std::uint32_t bucket = 0; bucket < HW_BUCKETS; ++bucket)
      write(router, "hw_buckets", HW_BUCKETS + bucket, hw_bucket{path, 0});
    for (std::uint32_t n = 0; n < 8; ++n) CHECK(router.nexthop_of(to("203.0.113.9", n)) == 1);
    CHECK(fate_of_new_flows(router, "203.0.113.9") == "steered");
  }
}

TEST_CASE("paths and groups that name what is not there are left to the kernel", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.group(1, {{1, 1}});
  router.route("0.0.0.0/0", 1);
  const auto path = read<hw_path>(router, "hw_paths", 17);
  const auto group = read<hw_group>(router, "hw_groups", 1);
  for (const std::uint32_t wild : kWild) {
    INFO("id " << wild);
    hw_path other = path;
    other.nexthop = wild;
    write(router, "hw_paths", 17, other);
    CHECK(fate_of_new_flows(router, "203.0.113.9") == "no_nexthop");
    other = path;
    other.group = wild;
    write(router, "hw_paths", 17, other);
    CHECK(fate_of_new_flows(router, "203.0.113.9") == "no_nexthop");
    write(router, "hw_paths", 17, path);

    hw_group none = group;
    none.path[0] = wild;
    write(router, "hw_groups", 1, none);
    for (std::uint32_t bucket = 0; bucket < HW_BUCKETS; ++bucket)
      write(router, "hw_buckets", HW_BUCKETS + bucket, hw_bucket{wild, 0});
    CHECK(fate_of_new_flows(router, "203.0.113.9") == "no_nexthop");
    write(router, "hw_groups", 1, group);
  }
}

TEST_CASE("a group without paths is left to the kernel, one with too many is not read beyond",
          "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.nexthop(2, "192.0.2.2");
  router.group(1, {{1, 1}});
  router.group(2, {{2, 1}});
  router.route("0.0.0.0/0", 1);
  const auto whole = read<hw_group>(router, "hw_groups", 1);
  hw_group group = whole;
  group.count = 0;
  write(router, "hw_groups", 1, group);
  CHECK(fate_of_new_flows(router, "203.0.113.9") == "no_nexthop");

  group = whole;
  for (std::uint32_t& path : group.path) path = 33;  // the other group's
  for (std::uint32_t bucket = 0; bucket < HW_BUCKETS; ++bucket)
    write(router, "hw_buckets", HW_BUCKETS + bucket, hw_bucket{0, 0});
  for (const std::uint32_t count : {HW_MAX_GROUP_PATHS + 1U, 1000U, 0xffffffffU}) {
    group.count = count;
    group.path[HW_MAX_GROUP_PATHS - 1] = 33;
    write(router, "hw_groups", 1, group);
    CHECK(fate_of_new_flows(router, "203.0.113.9") == "no_nexthop");
    group.path[HW_MAX_GROUP_PATHS - 1] = 17;
    write(router, "hw_groups", 1, group);
    CHECK(fate_of_new_flows(router, "203.0.113.9") == "steered");
  }
}

TEST_CASE("a flow whose entry names what is not there goes where its bucket says", "[bpf]") {
  Router router;
  router.nexthop(1, "192.0.2.1");
  router.nexthop(2, "192.0.2.2");
  router.group(1, {{1, 1}});
  router.group(2, {{2, 1}});
  router.route("0.0.0.0/0", 1);
  const PacketSpec spec = to("203.0.113.9");
  REQUIRE(router.nexthop_of(spec) == 1);
  const hw_flow flow = *router.embryo(spec);
  std::vector<std::uint32_t> ids(std::begin(kWild), std::end(kWild));
  ids.push_back(2);
  ids.push_back(33);
  for (const std::uint32_t wild : ids)
    for (const bool both : {false, true}) {
      INFO("id " << wild);
      hw_flow other = flow;
      other.path = wild;
      if (both) other.nexthop = wild;
      router.set_flow(spec, other);
      CHECK(router.nexthop_of(spec) == 1);
    }
}

TEST_CASE("flow tables full of others' flows do not keep a packet from its path", "[bpf]") {
  Router router;
  router.two_upstreams();
  const PacketSpec known = to("203.0.113.9");
  const std::uint32_t before = router.nexthop_of(known);
  REQUIRE(before != 0);
  for (const char* table : {"hw_flows", "hw_embryos"}) {
    // More than it holds, by batches: the oldest go, and the packet's own among them.
    constexpr std::uint32_t kBatch = 8192;
    std::vector<hw_flow_key> keys(kBatch);
    std::vector<hw_flow> flows(kBatch);
    const std::uint32_t most = table == std::string("hw_flows") ? HW_MAX_FLOWS : HW_MAX_EMBRYOS;
    for (std::uint32_t n = 0; n < most + most / 8; n += kBatch) {
      for (std::uint32_t i = 0; i < kBatch; ++i) {
        const std::uint32_t number = n + i;
        std::memcpy(keys[i].source, &number, sizeof(number));
        keys[i].family = 4;
        keys[i].protocol = 17;
        flows[i].path = 18;
        flows[i].nexthop = 2;
      }
      __u32 count = kBatch;
      REQUIRE(bpf_map_update_batch(router.map_fd(table), keys.data(), flows.data(), &count,
                                   nullptr) == 0);
    }
    INFO(table << " is full");
    CHECK(router.nexthop_of(known) == before);
    CHECK(fate_of_new_flows(router, "203.0.113.9") == "steered");
    CHECK(fate_of_new_flows(router, "198.51.100.9") == "steered");
  }
}
