// What the daemon reads of the flow table to find the heaviest destinations, and how a group for
// one of them begins.
#include <arpa/inet.h>
#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <set>

#include "core/dataplane/pins.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::test;
using dataplane::Handle;

namespace {

void fill(const Router& router, std::uint32_t count) {
  const std::string pin = std::filesystem::directory_iterator(router.pin_root())->path() /
                          dataplane::abi_name() / "hw_flows";
  const Handle map(bpf_obj_get(pin.c_str()));
  REQUIRE(map);
  std::vector<hw_flow_key> keys(count);
  std::vector<hw_flow> flows(count);
  for (std::uint32_t n = 0; n < count; ++n) {
    const std::uint32_t source = htonl(0x0a000000 + n), destination = htonl(0xcb000000 + n);
    std::memcpy(keys[n].source, &source, 4);
    std::memcpy(keys[n].destination, &destination, 4);
    keys[n].family = 4;
    keys[n].protocol = 6;
    flows[n].bytes = n;
    flows[n].reverse_bytes = 1;
  }
  __u32 done = count;
  REQUIRE(bpf_map_update_batch(map.fd(), keys.data(), flows.data(), &done, nullptr) == 0);
}

}  // namespace

TEST_CASE("flow counts come a slice at a time, each flow once, again and again", "[bpf]") {
  Router router;
  fill(router, 200'000);
  for (int look = 0; look < 2; ++look) {
    std::set<std::uint64_t> ids;
    std::uint64_t bytes = 0, flows = 0;
    double worst = 0, all = 0;
    for (bool more = true; more;) {
      const auto before = Router::now();
      std::uint64_t slice = 0;
      const auto read = router.dataplane().read_flow_counts([&](const FlowCount& flow) {
        ++slice;
        bytes += flow.bytes;
        ids.insert(flow.id);
      });
      REQUIRE(read.has_value());
      more = *read;
      flows += slice;
      CHECK(slice < 20'000);
      worst = std::max(worst, milliseconds(Router::now() - before));
      all += milliseconds(Router::now() - before);
    }
    CHECK(flows == 200'000);
    CHECK(ids.size() == flows);
    CHECK(bytes == flows * (flows - 1) / 2 + flows);
    std::cout << "read_flow_counts: " << flows << " flows in " << all << " ms, a slice in " << worst
              << " ms at most\n";
  }
}

TEST_CASE("the route that covers a prefix is the longest, but no longer than the prefix", "[bpf]") {
  Router router;
  router.two_upstreams();
  router.group(3, {{1, 1}, {2, 1}});
  router.route("203.0.112.0/22", 3);
  router.route("203.0.113.0/25", 0);
  const auto covering = [&](const char* prefix) {
    const auto match = router.dataplane().route_covering(*Prefix::parse(prefix));
    return match ? match->route.text() + (match->group ? " steered" : " kernel") : "none";
  };
  CHECK(covering("203.0.113.0/24") == "203.0.112.0/22 steered");
  CHECK(covering("203.0.113.9/32") == "203.0.113.0/25 kernel");
  CHECK(covering("203.0.113.200/32") == "203.0.112.0/22 steered");
  CHECK(covering("203.0.112.0/22") == "203.0.112.0/22 steered");
  CHECK(covering("203.0.112.0/21") == "0.0.0.0/0 steered");
  CHECK(covering("2001:db8::/48") == "::/0 steered");
}

TEST_CASE("a group that begins like another has its buckets", "[bpf]") {
  Router router;
  router.two_upstreams();
  const Group model = router.group(3, {{1, 1}, {2, 1}});
  router.publish(model, {0.1, 0.9}, {true, true});
  for (int i = 0; i < 40; ++i) router.dataplane().sync(Router::now());
  router.group(4, {{1, 1}, {2, 1}});
  router.dataplane().begin_like(GroupId{4}, GroupId{3});
  CHECK(router.dataplane().buckets(GroupId{4}) == router.dataplane().buckets(GroupId{3}));
  CHECK(router.dataplane().buckets(GroupId{4}) != std::vector<std::uint32_t>{512, 512});
}
