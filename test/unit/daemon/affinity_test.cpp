#include "core/daemon/affinity.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;
using dataplane::Affinity;

namespace {

Nexthop nexthop(const char* name, const char* gateway, const char* interface) {
  return {NexthopId{1}, {1, *IpAddress::parse(gateway)}, interface, name};
}

}  // namespace

TEST_CASE("a flowlet's gap is longer than the paths' delays differ, jitter included") {
  CHECK(flowlet_gap(50ms, {}) == 50ms);
  const std::vector<PathDelay> close{{20ms, 1ms}, {30ms, 2ms}};
  CHECK(flowlet_gap(50ms, close) == 50ms);
  const std::vector<PathDelay> far{{20ms, 1ms}, {120ms, 3ms}, {90ms, 30ms}};
  CHECK(flowlet_gap(50ms, far) == 130ms);  // 90 - 20 + 2 x 30: more than 120 - 20 + 2 x 3
  CHECK(flowlet_gap(200ms, far) == 200ms);
  const std::vector<PathDelay> one{{400ms, 5ms}};
  CHECK(flowlet_gap(1ms, one) == 10ms);  // against its own jitter
  const std::vector<PathDelay> absurd{{1ms, 0ms}, {100s, 0ms}};
  CHECK(flowlet_gap(50ms, absurd) == 65s);
}

TEST_CASE("a gap is told again when it has changed by more than a tenth") {
  CHECK_FALSE(differs(100ms, 110ms));
  CHECK_FALSE(differs(100ms, 90ms));
  CHECK(differs(100ms, 111ms));
  CHECK(differs(100ms, 89ms));
  CHECK(differs(0ms, 1ms));
  CHECK_FALSE(differs(0ms, 0ms));
}

TEST_CASE("the first entry that names all of a group's nexthops rules") {
  const Nexthop a = nexthop("isp-a", "192.0.2.1", "eth1");
  const Nexthop b = nexthop("198.51.100.1@eth2", "198.51.100.1", "eth2");
  const Nexthop c = nexthop("isp-c", "2001:db8::1", "eth3");
  config::Config config;
  config.affinity = Affinity::bucket;
  config.groups = {{"one", {"isp-a"}, Affinity::flow},
                   {"two", {"isp-a", "198.51.100.1"}, Affinity::flowlet, 70ms},
                   {"all", {"192.0.2.1@eth1", "198.51.100.1@eth2", "2001:0db8::1"}, {}, 90ms}};

  CHECK(affinity_rule({&a}, config) == AffinityRule{Affinity::flow, 50ms});
  CHECK(affinity_rule({&a, &b}, config) == AffinityRule{Affinity::flowlet, 70ms});
  CHECK(affinity_rule({&a, &b, &c}, config) == AffinityRule{Affinity::bucket, 90ms});
  config.groups[0].nexthops = {"192.0.2.1@eth2", "198.51.100.1@", "@eth2", "192.0.2.1@eth1@"};
  CHECK(affinity_rule({&a}, config) == AffinityRule{Affinity::flowlet, 70ms});
  const Nexthop unknown = nexthop("x", "203.0.113.1", "eth4");
  CHECK(affinity_rule({&a, &unknown}, config) == AffinityRule{Affinity::bucket, 50ms});
}
