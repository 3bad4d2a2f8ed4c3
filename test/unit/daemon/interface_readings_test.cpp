#include "core/daemon/interface_readings.hpp"

#include <net/if.h>

#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;

TEST_CASE("counters and speeds are those of the interfaces here", "[bandwidth][netns]") {
  NEEDS_ROOT();
  const NetNamespace here;
  const NetNamespace there;
  here.sh("ip link add wan type veth peer name eth0 netns " + there.path());
  here.sh("ip addr add 10.9.0.254/24 dev wan; ip link set wan up; ip tuntap add tun0 mode tun");
  there.sh("ip addr add 10.9.0.1/24 dev eth0; ip link set eth0 up");
  const NetNamespace::Visit visit(here);
  auto readings = InterfaceReadings::open();
  REQUIRE(readings.has_value());
  const std::uint32_t wan = if_nametoindex("wan");
  const auto before = readings->counters();
  REQUIRE(before.has_value());
  REQUIRE(before->contains(wan));
  here.sh("ping -q -c 4 -s 1000 -i 0.05 10.9.0.1 > /dev/null");
  const auto after = readings->counters();
  REQUIRE(after.has_value());
  CHECK(after->at(wan).sent_bytes >= before->at(wan).sent_bytes + 4 * 1042);
  CHECK(after->at(wan).received_bytes >= before->at(wan).received_bytes + 4 * 1042);

  CHECK(readings->speed_bit_s("wan") == 10'000'000'000);  // what veth says
  CHECK_FALSE(readings->speed_bit_s("lo"));
  CHECK_FALSE(readings->speed_bit_s("tun0"));  // it would make one up
  CHECK_FALSE(readings->speed_bit_s("nobody"));
  const Nexthop through{NexthopId{1}, {wan, address("10.9.0.1")}, "wan", "a"};
  CHECK(readings->speeds({through, through}).size() == 1);
}
