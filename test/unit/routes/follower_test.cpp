// Every form that a route has in the kernel, followed through every way of changing it.
#include "test/unit/routes/namespace_view.hpp"

using namespace hopwise;
using namespace hopwise::routes;

TEST_CASE("what stands in the kernel at the start is reported once", "[netns][routes]") {
  in_namespace([] {
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2 weight 3");
    sh("ip -6 route add 2001:db8::/32 nexthop via fd00:1::2 weight 2 nexthop via fd00:2::2");
    sh("ip route add 198.51.100.0/24 via 10.0.2.2");
    sh("ip route add blackhole 203.0.113.0/24");
    View view;
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1 10.0.1.2@v1*3");
    CHECK(view.route("2001:db8::/32") == "fd00:1::2@v1*2 fd00:2::2@v2*1");
    CHECK(view.route("198.51.100.0/24") == "10.0.2.2@v2*1");
    CHECK(view.route("203.0.113.0/24") == "kernel");
    CHECK(view.route("10.0.0.0/24") == "kernel");
    CHECK(view.route("10.0.0.1/32") == "kernel");
    CHECK(view.route("fd00:0::1/128") == "kernel");
    CHECK(view.route("0.0.0.0/0") == "none");
    for (const auto& [prefix, times] : view.reports) CHECK(times == 1);
    CHECK(view.follower.lookup(*IpAddress::parse("192.0.2.77"))->prefix.text() == "192.0.2.0/24");
    CHECK_FALSE(view.follower.lookup(*IpAddress::parse("100.64.0.1")));
    const Interface& v0 = view.follower.interfaces().at(view.ifindex("v0"));
    CHECK((v0.up && v0.ethernet && !v0.loopback && v0.mtu == 1500));
    CHECK(view.follower.interfaces().at(view.ifindex("lo")).loopback);
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("IPv4 routes are followed through every way of changing them", "[netns][routes]") {
  in_namespace([] {
    View view;
    const std::string p = "192.0.2.0/24";
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    becomes(view, p, "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip route append 192.0.2.0/24 via 10.0.2.2");
    sh("ip route add 198.51.100.0/24 via 10.0.2.2");
    becomes(view, "198.51.100.0/24", "10.0.2.2@v2*1");
    CHECK(view.route(p) == "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip route prepend 192.0.2.0/24 via 10.0.0.3");
    becomes(view, p, "10.0.0.3@v0*1");
    sh("ip route del 192.0.2.0/24 via 10.0.0.3");
    becomes(view, p, "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip route replace 192.0.2.0/24 nexthop via 10.0.0.2 weight 4 nexthop via 10.0.2.2");
    becomes(view, p, "10.0.0.2@v0*4 10.0.2.2@v2*1");
    sh("ip route change 192.0.2.0/24 via 10.0.1.2");
    becomes(view, p, "10.0.1.2@v1*1");
    sh("ip route add 192.0.2.0/24 metric 5 via 10.0.0.2");
    sh("ip route del 192.0.2.0/24 via 10.0.1.2");
    becomes(view, p, "10.0.2.2@v2*1");
    sh("ip route del 192.0.2.0/24 via 10.0.2.2");
    becomes(view, p, "10.0.0.2@v0*1");
    sh("ip route add 192.0.2.0/24 tos 0x10 via 10.0.2.2");
    becomes(view, p, "kernel");
    sh("ip route del 192.0.2.0/24 tos 0x10 via 10.0.2.2");
    becomes(view, p, "10.0.0.2@v0*1");
    sh("ip route add local 192.0.2.0/24 dev lo table local");
    becomes(view, p, "kernel");
    sh("ip route del local 192.0.2.0/24 dev lo table local");
    becomes(view, p, "10.0.0.2@v0*1");
    sh("ip route flush 192.0.2.0/24");
    becomes(view, p, "none");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("IPv6 routes are followed through every way of changing them", "[netns][routes]") {
  in_namespace([] {
    View view;
    const std::string p = "2001:db8::/32";
    sh("ip -6 route add 2001:db8::/32 nexthop via fd00:0::2 nexthop via fd00:1::2");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1");
    sh("ip -6 route append 2001:db8::/32 via fd00:2::2");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route del 2001:db8::/32 via fd00:1::2");
    becomes(view, p, "fd00::2@v0*1 fd00:2::2@v2*1");
    sh("ip -6 route replace 2001:db8::/32 nexthop via fd00:0::2 nexthop via fd00:1::2 weight 3");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*3");
    sh("ip -6 route change 2001:db8::/32 via fd00:0::2");
    becomes(view, p, "fd00::2@v0*1");
    sh("ip -6 route append 2001:db8::/32 nexthop via fd00:1::2 nexthop via fd00:2::2");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route add 2001:db8::/32 metric 10 via fd00:2::2");
    becomes(view, p, "fd00:2::2@v2*1");
    sh("ip -6 route del 2001:db8::/32 metric 10");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    // An on-link route of the same metric stands beside: which one is used is the kernel's choice.
    sh("ip -6 route append 2001:db8::/32 dev p0");
    becomes(view, p, "kernel");
    sh("ip -6 route del 2001:db8::/32 dev p0");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route add 2001:db8::/32 from fd00:1::/64 via fd00:2::2");
    becomes(view, p, "kernel");
    sh("ip -6 route del 2001:db8::/32 from fd00:1::/64");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1 fd00:2::2@v2*1");
    sh("ip -6 route del 2001:db8::/32");
    becomes(view, p, "none");
    sh("ip -6 route add 2001:db8::/32 nexthop via fe80::7 dev v0 nexthop via fe80::7 dev v1");
    becomes(view, p, "fe80::7@v0*1 fe80::7@v1*1");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("nexthop objects and groups are followed", "[netns][routes]") {
  const auto compat = GENERATE(as<std::string>(), "1", "0");
  in_namespace([&] {
    sh("sysctl -qw net.ipv4.nexthop_compat_mode=" + compat);
    View view;
    const std::string p = "192.0.2.0/24";
    sh("ip nexthop add id 1 via 10.0.0.2 dev v0");
    sh("ip nexthop add id 2 via 10.0.1.2 dev v1");
    sh("ip nexthop add id 3 via 10.0.2.2 dev v2");
    sh("ip nexthop add id 10 group 1/2,5");
    sh("ip route add 192.0.2.0/24 nhid 10 proto 186 metric 20");
    becomes(view, p, "10.0.0.2@v0*1 10.0.1.2@v1*5");
    sh("ip nexthop replace id 10 group 1,2/3");
    becomes(view, p, "10.0.0.2@v0*2 10.0.2.2@v2*1");
    sh("ip nexthop replace id 3 via 10.0.2.9 dev v2");
    becomes(view, p, "10.0.0.2@v0*2 10.0.2.9@v2*1");
    sh("ip nexthop del id 1");
    becomes(view, p, "10.0.2.9@v2*1");
    sh("ip nexthop add id 4 blackhole && ip route replace 192.0.2.0/24 nhid 4 proto 186 metric 20");
    becomes(view, p, "kernel");
    sh("ip route replace 192.0.2.0/24 nhid 2 proto 186 metric 20");
    becomes(view, p, "10.0.1.2@v1*1");
    sh("ip nexthop add id 21 via fd00:0::2 dev v0 && ip nexthop add id 22 via fd00:1::2 dev v1");
    sh("ip nexthop add id 20 group 21/22");
    sh("ip -6 route add 2001:db8::/32 nhid 20 metric 20");
    becomes(view, "2001:db8::/32", "fd00::2@v0*1 fd00:1::2@v1*1");
    // The same IPv6 objects serve an IPv4 route.
    sh("ip route replace 192.0.2.0/24 nhid 20 proto 186 metric 20");
    becomes(view, p, "fd00::2@v0*1 fd00:1::2@v1*1");
    sh("ip nexthop del id 20");
    becomes(view, p, "none");
    becomes(view, "2001:db8::/32", "none");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("IPv4 by way of IPv6 gateways, and a gateway that is on every link", "[netns][routes]") {
  in_namespace([] {
    View view;
    sh("ip route add 192.0.2.0/24 nexthop via inet6 fe80::2 dev v0 nexthop via inet6 fd00:1::2");
    becomes(view, "192.0.2.0/24", "fe80::2@v0*1 fd00:1::2@v1*1");
    sh("ip route add 198.51.100.0/24 nexthop via 169.254.0.1 dev v0 onlink "
       "nexthop via 169.254.0.1 dev v1 onlink");
    becomes(view, "198.51.100.0/24", "169.254.0.1@v0*1 169.254.0.1@v1*1");
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("a set with a member that cannot be steered to is left to the kernel",
          "[netns][routes]") {
  in_namespace([] {
    sh("ip tuntap add dev t0 mode tun && ip link set t0 up && ip addr add 10.9.0.1/24 dev t0");
    View view;
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop dev v1");
    sh("ip route add 198.51.100.0/24 nexthop via 10.0.0.2 nexthop via 10.9.0.2");
    sh("ip route add 203.0.113.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    becomes(view, "203.0.113.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*1");
    CHECK(view.route("192.0.2.0/24") == "kernel");
    CHECK(view.route("198.51.100.0/24") == "kernel");
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("a route with an MTU of its own is left to the kernel", "[netns][routes]") {
  const auto mtu = GENERATE(as<std::string>(), "mtu 1400", "mtu lock 1400");
  in_namespace([&] {
    const std::string v4 = "192.0.2.0/24";
    const std::string v6 = "2001:db8::/32";
    const std::string to4 = " nexthop via 10.0.0.2 nexthop via 10.0.1.2";
    const std::string to6 = " nexthop via fd00:0::2 nexthop via fd00:1::2";
    sh("ip route add 192.0.2.0/24 " + mtu + to4);
    sh("ip -6 route add 2001:db8::/32 " + mtu + to6);
    View view;
    CHECK(view.route(v4) == "kernel");
    CHECK(view.route(v6) == "kernel");
    sh("ip route replace 192.0.2.0/24" + to4 + " && ip -6 route replace 2001:db8::/32" + to6);
    becomes(view, v4, "10.0.0.2@v0*1 10.0.1.2@v1*1");
    becomes(view, v6, "fd00::2@v0*1 fd00:1::2@v1*1");
    sh("ip route replace 192.0.2.0/24 " + mtu + to4);
    sh("ip -6 route replace 2001:db8::/32 " + mtu + to6);
    becomes(view, v4, "kernel");
    becomes(view, v6, "kernel");
    agrees_with_a_fresh_one(view);
    sh("ip route del 192.0.2.0/24 && ip -6 route del 2001:db8::/32");
    becomes(view, v4, "none");
    becomes(view, v6, "none");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}
