// The rules that bind probes, one by one, as the kernel takes them.
#include "probes/binding/rules.hpp"

#include <linux/rtnetlink.h>

#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;

TEST_CASE("a rule that is there already stays as it is", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  const NetNamespace::Visit visit(lan.router);
  auto socket = netlink::Socket::open(NETLINK_ROUTE);
  REQUIRE(socket.has_value());
  auto events = netlink::Socket::open(NETLINK_ROUTE);
  REQUIRE(events.has_value());
  for (const int group : {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE})
    REQUIRE(events->join(group).has_value());
  const auto changes = [&] {
    int count = 0;
    REQUIRE(events->receive([&](const nlmsghdr&) { ++count; }).has_value());
    return count;
  };
  constexpr std::uint32_t kBase = 0x68770000;
  for (const Family family : {Family::v4, Family::v6})
    for (const Rule& rule :
         {Rule::nexthop(kBase + 1, 5200), Rule::stage(kBase, 5200), Rule::guard(kBase, 5200)}) {
      REQUIRE(put_rule(*socket, family, rule).has_value());
      CHECK(changes() == 1);
      REQUIRE(put_rule(*socket, family, rule).has_value());
      CHECK(changes() == 0);
      drop_rule(*socket, family, rule);
      CHECK(changes() == 1);
    }
}
