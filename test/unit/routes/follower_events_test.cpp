// What happens to links, neighbours and the event socket itself, and random histories.
#include "test/unit/routes/namespace_view.hpp"

using namespace hopwise;
using namespace hopwise::routes;

TEST_CASE("a link that comes and goes changes no route, whatever the kernel does with its legs",
          "[netns][routes]") {
  const auto end = GENERATE(as<std::string>(), "p1", "v1");
  const auto ignores = GENERATE(as<std::string>(), "0", "1");
  in_namespace([&] {
    sh("sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=" + ignores +
       " net.ipv6.conf.all.ignore_routes_with_linkdown=" + ignores);
    sh("ip route add 192.0.2.0/24 nexthop via 10.0.0.2 nexthop via 10.0.1.2");
    sh("ip -6 route add 2001:db8::/32 nexthop via fd00:0::2 nexthop via fd00:1::2");
    Options slow;
    slow.debounce = 1h;  // no dump comes to help
    View alone(slow);
    View helped;
    for (const std::string state : {"down", "up"}) {
      sh("ip link set " + end + ' ' + state);
      for (View* view : {&alone, &helped})
        CHECK(view->until(
            [&] { return view->interfaces.at(view->ifindex("v1")).up == (state == "up"); }));
      agrees_with_a_fresh_one(helped);
    }
    for (View* view : {&alone, &helped}) {
      CHECK(view->route("192.0.2.0/24") == "10.0.0.2@v0*1 10.0.1.2@v1*1");
      CHECK(view->route("2001:db8::/32") == "fd00::2@v0*1 fd00:1::2@v1*1");
      for (const char* prefix : {"192.0.2.0/24", "2001:db8::/32"})
        CHECK(view->reports.at(*Prefix::parse(prefix)) == 1);
    }
  });
}

TEST_CASE("what the kernel drops in silence is found by a new dump", "[netns][routes]") {
  in_namespace([] {
    sh("ip nexthop add id 1 via 10.0.0.2 dev v0 && ip nexthop add id 2 via 10.0.1.2 dev v1");
    sh("ip nexthop add id 10 group 1/2 && ip route add 192.0.2.0/24 nhid 10");
    sh("ip route add 198.51.100.0/24 via 10.0.1.2");
    sh("ip route add 203.0.113.0/24 via 10.0.0.2 src 10.0.2.1");
    View view;
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1 10.0.1.2@v1*1");
    sh("ip link set v1 down");  // silently takes nexthop 2 and 198.51.100.0/24 with it
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*1");
    becomes(view, "198.51.100.0/24", "none");
    agrees_with_a_fresh_one(view);
    sh("ip link set v1 up");
    agrees_with_a_fresh_one(view);
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1");
    sh("ip addr del 10.0.2.1/24 dev v2");  // and this the route that prefers it as source
    becomes(view, "203.0.113.0/24", "none");
    agrees_with_a_fresh_one(view);
    sh("ip link del v0");
    becomes(view, "192.0.2.0/24", "none");
    agrees_with_a_fresh_one(view);
    CHECK(view.troubles.empty());
  });
}

TEST_CASE("a backup of higher metric takes over when the best route is dead", "[netns][routes]") {
  in_namespace([] {
    sh("ip route add 192.0.2.0/24 metric 10 nexthop via 10.0.0.2 nexthop via 10.0.0.3");
    sh("ip route add 192.0.2.0/24 metric 20 nexthop via 10.0.1.2 nexthop via 10.0.2.2");
    View view;
    CHECK(view.route("192.0.2.0/24") == "10.0.0.2@v0*1 10.0.0.3@v0*1");
    sh("ip link set p0 down");
    becomes(view, "192.0.2.0/24", "10.0.1.2@v1*1 10.0.2.2@v2*1");
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("watched gateways are reported as their neighbour entries change", "[netns][routes]") {
  in_namespace([] {
    sh("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
    View view;
    const NexthopKey v4{view.ifindex("v0"), *IpAddress::parse("10.0.0.2")};
    const NexthopKey v6{view.ifindex("v1"), *IpAddress::parse("fd00:1::2")};
    view.follower.watch(v4);
    view.follower.watch(v6);
    CHECK(view.neighbours.at(v4).resolved);
    CHECK_FALSE(view.neighbours.at(v6).resolved);
    sh("ip neigh add fd00:1::2 lladdr 02:00:00:00:00:02 dev v1 nud stale");
    CHECK(view.until([&] { return view.neighbours.at(v6).resolved; }));
    sh("ip neigh change fd00:1::2 dev v1 nud failed");
    CHECK(view.until([&] { return !view.neighbours.at(v6).resolved; }));
    sh("ip link set p0 down");
    CHECK(view.until([&] { return !view.neighbours.at(v4).resolved; }));
    sh("ip link set p0 up");
    CHECK(view.until([&] { return view.neighbours.at(v4).resolved; }));
    sh("ip neigh del 10.0.0.2 dev v0");
    CHECK(view.until([&] { return !view.neighbours.at(v4).resolved; }));
    view.follower.unwatch(v4);
    sh("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
    sh("ip neigh change fd00:1::2 lladdr 02:00:00:00:00:03 dev v1 nud stale");
    CHECK(view.until([&] { return view.neighbours.at(v6).resolved; }));
    CHECK_FALSE(view.neighbours.at(v4).resolved);
  });
}

TEST_CASE("a gateway's address and an interface's own are followed", "[netns][routes]") {
  in_namespace([] {
    View view;
    const NexthopKey key{view.ifindex("v0"), *IpAddress::parse("10.0.0.2")};
    view.follower.watch(key);
    const auto told = [&](std::optional<EthernetAddress> address) {
      return view.until([&] {
        return view.neighbours.at(key) == Neighbour{address.has_value(), address};
      });
    };
    sh("ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev v0 nud stale");
    CHECK(told(EthernetAddress{2, 0, 0, 0, 0, 2}));
    sh("ip neigh change 10.0.0.2 lladdr 02:00:00:00:00:03 dev v0 nud stale");
    CHECK(told(EthernetAddress{2, 0, 0, 0, 0, 3}));
    sh("ip neigh change 10.0.0.2 dev v0 nud failed");
    CHECK(told(std::nullopt));
    sh("ip neigh change 10.0.0.2 lladdr 02:00:00:00:00:04 dev v0 nud permanent");
    CHECK(told(EthernetAddress{2, 0, 0, 0, 0, 4}));
    sh("ip link set p0 down");
    CHECK(told(std::nullopt));
    sh("ip link set p0 up");
    CHECK(told(EthernetAddress{2, 0, 0, 0, 0, 4}));
    sh("ip link set v0 address 02:00:00:00:01:01");
    CHECK(view.until([&] {
      return view.interfaces.at(key.ifindex).address == EthernetAddress{2, 0, 0, 0, 1, 1};
    }));
    CHECK(told(std::nullopt));  // the kernel forgets its neighbours with its own address
  });
}

TEST_CASE("an interface's MTU is followed", "[netns][routes]") {
  in_namespace([] {
    View view;
    const std::uint32_t v0 = view.ifindex("v0");
    REQUIRE(view.interfaces.at(v0).mtu == 1500);
    for (const std::uint32_t mtu : {1400U, 1300U}) {
      sh("ip link set v0 mtu " + std::to_string(mtu));
      CHECK(view.until([&] { return view.interfaces.at(v0).mtu == mtu; }));
    }
    CHECK(view.interfaces.at(view.ifindex("v1")).mtu == 1500);
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("a table that nobody has made yet is followed from its first route", "[netns][routes]") {
  in_namespace([] {
    Options own;
    own.table = 4000;
    View view(own);
    sh("ip route add 198.51.100.0/24 via 10.0.0.2");
    sh("ip route add 192.0.2.0/24 table 4000 via 10.0.0.2");
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*1");
    CHECK(view.route("198.51.100.0/24") == "none");
    const View fresh(own);
    CHECK(fresh.routes == view.routes);
  });
}

TEST_CASE("lost events are told of and repaired", "[netns][routes]") {
  in_namespace([] {
    Options tiny;
    tiny.receive_buffer_bytes = 4096;
    View view(tiny);
    sh("for i in $(seq 0 250); do echo route add 198.18.$i.0/24 nexthop via 10.0.0.2 "
       "nexthop via 10.0.1.2; done | ip -batch -");
    sh("ip -6 route add 2001:db8::/32 via fd00:0::2");
    becomes(view, "198.18.250.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*1");
    REQUIRE_FALSE(view.troubles.empty());
    CHECK(view.troubles.front().find("dropped events") != std::string::npos);
    becomes(view, "198.18.7.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*1");
    becomes(view, "2001:db8::/32", "fd00::2@v0*1");
    agrees_with_a_fresh_one(view);
  });
}

// What is queued when the buffer overflows is older than what the kernel drops then, and it goes on
// dropping, without another word, until all of that has been read.
TEST_CASE("what is lost while old events are read is not lost in the end", "[netns][routes]") {
  in_namespace([] {
    Options hasty;
    hasty.receive_buffer_bytes = 4 << 20;
    hasty.debounce = 0ms;  // the dump begins as soon as it may
    View view(hasty);
    const auto batch = [](const std::string& verb) {
      sh("awk 'BEGIN { for (i = 0; i < 30000; ++i) printf \"route " + verb +
         " 198.18.%d.%d via 10.0.0.2\\n\", i / 256, i % 256 }' | ip -batch -");
    };
    batch("add");
    batch("del");
    REQUIRE(view.until([&] { return !view.troubles.empty(); }));
    const auto dumps = view.follower.counts().dumps;
    REQUIRE(view.until([&] { return view.follower.counts().dumps > dumps; }));
    sh("ip route add 192.0.2.0/24 via 10.0.1.2");
    becomes(view, "192.0.2.0/24", "10.0.1.2@v1*1");
    CHECK(view.until([&] { return view.route("198.18.0.0/32") == "none"; }));
    agrees_with_a_fresh_one(view);
  });
}

// The kernel goes on with its dump behind as many nodes as it had visited, whatever went meanwhile.
TEST_CASE("IPv6 routes that go while all is dumped take no others with them", "[netns][routes]") {
  in_namespace([] {
    const auto batch = [](const std::string& verb, int from, int to) {
      sh("awk 'BEGIN { for (i = " + std::to_string(from) + "; i < " + std::to_string(to) +
         "; ++i) printf \"route " + verb +
         " 2001:db8:%x::/48 via fd00::2\\n\", i }' | ip -6 -batch -");
    };
    batch("add", 0, 40000);
    Options hasty;
    hasty.debounce = 0ms;
    View view(hasty);
    const auto dumps = view.follower.counts().dumps;
    sh("ip link set v2 down");
    REQUIRE(view.until([&] { return !view.interfaces.at(view.ifindex("v2")).up; }));
    for (int slice = 0; slice < 6; ++slice) view.io.run_one_for(50ms);
    CHECK(view.follower.counts().dumps == dumps);
    batch("del", 0, 5000);
    batch("add", 40000, 40001);
    REQUIRE(view.until([&] { return view.follower.counts().dumps > dumps; }));
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("any history ends where a fresh follower begins", "[netns][routes][property]") {
  const auto seed = GENERATE(range(1U, 5U));
  in_namespace([&] {
    std::srand(seed);
    const auto any = [](int n) { return std::to_string(std::rand() % n); };
    sh("ip nexthop add id 1 via 10.0.0.2 dev v0 && ip nexthop add id 2 via 10.0.1.2 dev v1");
    sh("ip nexthop add id 10 group 1/2");
    View view;
    std::string history;
    for (int step = 0; step < 120; ++step) {
      const bool v4 = std::rand() % 2 == 0;
      const std::string verbs[] = {"add", "append", "replace", "change", "prepend", "del", "del"};
      const auto gateway = [&] {
        const std::string link = any(3);
        return v4 ? "via 10.0." + link + ".2 " : "via fd00:" + link + "::2 ";
      };
      const int kind = std::rand() % 6;
      // IPv6 dumps pass over what stands between siblings, so on-link ones have their own metric.
      const std::string metric = kind == 1 && !v4 ? "12 " : std::to_string(10 + std::rand() % 2);
      std::string command = (v4 ? "ip route " : "ip -6 route ") + verbs[std::rand() % 7] +
                            (v4 ? " 192.0.2.0/24 metric " : " 2001:db8::/32 metric ") + metric +
                            ' ';
      switch (kind) {
        case 0:
          command += gateway();
          break;
        case 1:
          command += "dev v" + any(3);
          break;
        case 2:
          command = "ip link set " + std::string(std::rand() % 2 == 0 ? "v" : "p") + any(3) +
                    (std::rand() % 3 == 0 ? " down" : " up");
          break;
        case 3:
          command = "ip nexthop replace id 10 group 1,1" + any(3) + "/2";
          if (std::rand() % 3 == 0 && v4)
            command = "ip route replace 192.0.2.0/24 metric 10 nhid 10";
          break;
        default:
          if (kind == 5) command += "mtu 1400 ";
          command += "nexthop " + gateway() + "nexthop " + gateway() + "weight 2";
      }
      // Many are refused, which is fine.
      if (std::system((command + " 2>/dev/null").c_str()) == 0) history += command + '\n';
      if (std::rand() % 4 != 0) view.io.poll();
      INFO(history);
      if (step % 12 == 11) agrees_with_a_fresh_one(view);
    }
  });
}

TEST_CASE("a link that is renamed, or another with its index, is told by its name",
          "[netns][routes]") {
  in_namespace([] {
    View view;
    const std::uint32_t v2 = view.ifindex("v2");
    sh("ip link set v2 down && ip link set v2 name wan9 && ip link set wan9 up");
    CHECK(view.until([&] { return view.interfaces.at(v2).name == "wan9"; }));
    sh("ip link del wan9 && ip link add again index " + std::to_string(v2) +
       " type veth peer name p2");
    CHECK(view.until(
        [&] { return view.interfaces.contains(v2) && view.interfaces.at(v2).name == "again"; }));
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("a failed link is told before the storm of routes that is queued", "[netns][routes]") {
  in_namespace([] {
    View view;
    sh("for i in $(seq 0 254); do for j in $(seq 0 19); do echo route add 198.$j.$i.0/24 "
       "via 10.0.0.2; done; done | ip -batch -");
    sh("ip link set p1 down");
    const std::uint32_t v1 = view.ifindex("v1");
    REQUIRE(view.until([&] { return !view.interfaces.at(v1).up; }));
    CHECK(view.routes.size() < 5000);
    CHECK(view.until([&] { return view.routes.size() > 5100; }));
    agrees_with_a_fresh_one(view);
  });
}

TEST_CASE("resilient groups and members of great weight are followed", "[netns][routes]") {
  in_namespace([] {
    View view;
    sh("ip nexthop add id 1 via 10.0.0.2 dev v0 && ip nexthop add id 2 via 10.0.1.2 dev v1");
    sh("ip nexthop add id 10 group 1,3/2 type resilient buckets 8");
    sh("ip route add 192.0.2.0/24 nhid 10");
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*3 10.0.1.2@v1*1");
    sh("ip nexthop replace id 10 group 1/2,255 type resilient buckets 8");
    becomes(view, "192.0.2.0/24", "10.0.0.2@v0*1 10.0.1.2@v1*255");
    agrees_with_a_fresh_one(view);
  });
}
