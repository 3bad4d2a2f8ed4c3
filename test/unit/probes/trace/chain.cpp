#include "test/unit/probes/trace/chain.hpp"

#include <net/if.h>

#include "test/catch.hpp"

namespace hopwise::probes {
namespace {

// A link of both families between two namespaces: 10.N.0.0/24 and fd0N::/64.
void link(const NetNamespace& near, const NetNamespace& far, const std::string& n) {
  near.sh("ip link add down" + n + " type veth peer name up" + n + " netns " + far.path());
  const auto set_up = [&](const NetNamespace& where, const std::string& name,
                          const std::string& end) {
    where.sh("ip addr add 10." + n + ".0." + end + "/24 dev " + name + "; ip addr add fd0" + n +
             "::" + end + "/64 dev " + name + " nodad; ip link set " + name + " up");
  };
  set_up(near, "down" + n, "1");
  set_up(far, "up" + n, "2");
}

void route(const NetNamespace& where, const std::string& v4, const std::string& via4,
           const std::string& v6, const std::string& via6) {
  where.sh("ip route add " + v4 + " via " + via4 + "; ip -6 route add " + v6 + " via " + via6);
}

void await_up(const NetNamespace& where) {
  where.sh(
      "for i in $(seq 500); do ip -br link | grep -qv -e UP -e UNKNOWN || exit 0; sleep 0.02; "
      "done; exit 1");
}

}  // namespace

Chain::Chain() {
  for (const auto* each : {&a, &b, &core, &far, &host, &router})
    each->sh(
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
        "net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
  bridge.sh("ip link add br0 type bridge; ip link set br0 up");
  router.sh("ip link add wan type veth peer name port-r netns " + bridge.path());
  a.sh("ip link add eth0 type veth peer name port-a netns " + bridge.path());
  b.sh("ip link add eth0 type veth peer name port-b netns " + bridge.path());
  bridge.sh("for i in a b r; do ip link set port-$i master br0; ip link set port-$i up; done");
  router.sh(
      "ip addr add 10.9.0.254/24 dev wan; ip addr add fd09::fe/64 dev wan nodad; "
      "ip link set wan up");
  a.sh(
      "ip addr add 10.9.0.1/24 dev eth0; ip addr add fd09::1/64 dev eth0 nodad; "
      "ip link set eth0 up");
  b.sh(
      "ip addr add 10.9.0.2/24 dev eth0; ip addr add fd09::2/64 dev eth0 nodad; "
      "ip link set eth0 up");
  link(a, core, "1");
  link(b, core, "2");
  link(core, far, "3");
  link(far, host, "4");
  host.sh("ip addr add 203.0.113.1/32 dev lo; ip addr add 2001:db8::1/128 dev lo nodad");
  route(a, "default", "10.1.0.2", "default", "fd01::2");
  route(b, "default", "10.2.0.2", "default", "fd02::2");
  route(core, "default", "10.3.0.2", "default", "fd03::2");
  route(core, "10.9.0.0/24", "10.1.0.1", "fd09::/64", "fd01::1");
  route(far, "10.9.0.0/24", "10.3.0.1", "fd09::/64", "fd03::1");
  route(far, "203.0.113.0/24", "10.4.0.2", "2001:db8::/32", "fd04::2");
  route(host, "default", "10.4.0.1", "default", "fd04::1");
  for (const auto* each : {&bridge, &router, &a, &b, &core, &far, &host}) await_up(*each);
}

Nexthop Chain::nexthop(std::uint32_t which, Family family) const {
  const NetNamespace::Visit visit(router);
  const auto ifindex = if_nametoindex("wan");
  REQUIRE(ifindex != 0);
  const std::string gateway = (family == Family::v4 ? "10.9.0." : "fd09::") + std::to_string(which);
  return {NexthopId{which}, {ifindex, address(gateway.c_str())}, "wan", gateway};
}

}  // namespace hopwise::probes
