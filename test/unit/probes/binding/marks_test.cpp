// Where marks carry traffic too: whose mark leads, and what is forwarded without a table.
#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;

namespace {

Options carrying() {
  Options options = fast();
  options.marks_carry_traffic = true;
  return options;
}

// A prober that tells of marks.
struct Marks {
  explicit Marks(const Lan& lan) : visit(lan.router) {
    auto opened =
        Prober::open(io, carrying(),
                     {.samples = [](auto) {},
                      .marks = [this](const std::set<NexthopId>& now) { told.push_back(now); }});
    REQUIRE(opened.has_value());
    prober = std::move(*opened);
  }
  [[nodiscard]] bool becomes(const std::set<NexthopId>& wanted) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while ((told.empty() || told.back() != wanted) && std::chrono::steady_clock::now() < limit)
      io.run_one_for(std::chrono::milliseconds(20));
    return !told.empty() && told.back() == wanted;
  }

  NetNamespace::Visit visit;
  boost::asio::io_context io{1};
  std::vector<std::set<NexthopId>> told;
  std::unique_ptr<Prober> prober;
};

// How the router would forward a packet from wan with that mark.
std::string forwarded(const Lan& lan, const char* family, const char* from, const char* to) {
  return lan.router.output(std::string("ip ") + family + " route get " + to + " from " + from +
                           " iif side mark 0x68770001 2>&1");
}

}  // namespace

TEST_CASE("marks lead once every family that the nexthop can carry has its table",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Marks marks(lan);
  REQUIRE(marks.prober->set_target({lan.nexthop(1, kV4.a), {anchor(Family::v4)}}).has_value());
  CHECK(marks.becomes({NexthopId{1}}));
  // An IPv6 gateway carries IPv4 as well (RFC 8950), whatever its anchors are.
  REQUIRE(marks.prober->set_target({lan.nexthop(2, kV6.b), {}}).has_value());
  CHECK(marks.becomes({NexthopId{1}, NexthopId{2}}));
  CHECK(lan.router.output("ip route show table $((0x68770002))").find("via inet6 fd09::2") !=
        std::string::npos);
  CHECK(lan.router.output("ip -6 route show table $((0x68770002))").find("via fd09::2") !=
        std::string::npos);
  marks.prober->remove_target(NexthopId{1});
  CHECK(marks.becomes({NexthopId{2}}));
}

TEST_CASE("a mark leads again after its link came back, and not before", "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  Marks marks(lan);
  REQUIRE(marks.prober->set_target({lan.nexthop(1, kV4.a), {anchor(Family::v4)}}).has_value());
  marks.prober->set_ready(NexthopId{1}, {true});
  REQUIRE(marks.becomes({NexthopId{1}}));
  lan.router.sh("ip link set wan down");
  marks.prober->set_ready(NexthopId{1}, {false});
  CHECK(marks.becomes({}));
  lan.router.sh("ip link set wan up");
  CHECK(lan.router.output("ip route show table $((0x68770001))").empty());
  marks.prober->set_ready(NexthopId{1}, {true});
  CHECK(marks.becomes({NexthopId{1}}));
  CHECK(lan.router.output("ip route show table $((0x68770001))").find("10.9.0.1") !=
        std::string::npos);
}

TEST_CASE("what is forwarded with a mark never meets the guard", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const bool v4 = gw.family == Family::v4;
  const char* family = v4 ? "-4" : "-6";
  const char* from = v4 ? "10.8.0.3" : "fd08::3";
  const char* to = v4 ? "203.0.113.1" : "2001:db8::1";
  const Lan lan;
  lan.router.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  lan.router.sh(std::string("ip ") + family + " route add default via " + gw.b);
  Marks marks(lan);
  REQUIRE(marks.prober->set_target({lan.nexthop(1, gw.a), {anchor(gw.family)}}).has_value());
  REQUIRE(marks.becomes({NexthopId{1}}));
  CHECK_THAT(forwarded(lan, family, from, to), Catch::Contains(std::string("via ") + gw.a));
  // Its table lost, it takes the main table's route; a probe would be refused.
  lan.router.sh(std::string("ip ") + family + " route flush table $((0x68770001))");
  CHECK_THAT(forwarded(lan, family, from, to), Catch::Contains(std::string("via ") + gw.b));
  CHECK_THAT(lan.router.output(std::string("ip ") + family + " route get " + to +
                               " mark 0x68770001 2>&1 || true"),
             Catch::Contains("unreachable"));
}

TEST_CASE("what a mark leads by outlives the prober, and the next one takes it over",
          "[probes][netns]") {
  NEEDS_ROOT();
  const Lan lan;
  const auto has = [&](const char* mark) {
    return lan.router.output("ip rule").find(std::string("fwmark ") + mark + " ") !=
           std::string::npos;
  };
  {
    Marks first(lan);
    REQUIRE(first.prober->set_target({lan.nexthop(1, kV4.a), {}}).has_value());
    REQUIRE(first.prober->set_target({lan.nexthop(2, kV4.b), {}}).has_value());
  }
  const std::string left = ours(lan);
  CHECK(has("0x68770001"));
  Marks next(lan);
  CHECK(ours(lan) == left);
  REQUIRE(next.prober->set_target({lan.nexthop(1, kV4.a), {}}).has_value());
  CHECK(next.becomes({NexthopId{1}}));
  CHECK(ours(lan) == left);
  REQUIRE(next.prober->end_inheritance().has_value());
  CHECK(has("0x68770001"));
  CHECK_FALSE(has("0x68770002"));
  CHECK(lan.router.output("ip route show table $((0x68770002)) 2>/dev/null || true").empty());
  CHECK_FALSE(remove_leftovers(carrying())->empty());
  CHECK_FALSE(has("0x68770001"));
}

// Its guard stood where the staging device's rule stands now.
TEST_CASE("what version 0.2.0 left by marks stays in use, but for its guard", "[probes][netns]") {
  NEEDS_ROOT();
  const Gateways gw = GENERATE(kV4, kV6);
  const bool v4 = gw.family == Family::v4;
  const std::string ip = v4 ? "ip -4 " : "ip -6 ";
  const char* family = v4 ? "-4" : "-6";
  const char* from = v4 ? "10.8.0.3" : "fd08::3";
  const char* to = v4 ? "203.0.113.1" : "2001:db8::1";
  const Lan lan;
  lan.router.sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  lan.router.sh(ip + "route add default via " + gw.b);
  lan.router.sh(ip + "rule add pref 5200 fwmark 0x68770001 lookup $((0x68770001)) protocol 104; " +
                ip + "route add default via " + gw.a +
                " dev wan onlink table $((0x68770001)) protocol 104; " + ip +
                "rule add pref 5201 fwmark 0x68770000/0xffff0000 iif lo unreachable protocol 104");
  const auto rules = [&](const char* pref) {
    const std::string all = lan.router.output(ip + "rule show pref " + pref);
    return std::count(all.begin(), all.end(), '\n');
  };
  Marks marks(lan);
  CHECK_THAT(forwarded(lan, family, from, to), Catch::Contains(std::string("via ") + gw.a));
  CHECK(rules("5200") == 1);
  CHECK(rules("5201") == 0);
  REQUIRE(marks.prober->set_target({lan.nexthop(1, gw.a), {anchor(gw.family)}}).has_value());
  REQUIRE(marks.becomes({NexthopId{1}}));
  CHECK(rules("5200") == 1);
  CHECK(rules("5202") == 1);
  REQUIRE(marks.prober->end_inheritance().has_value());
  CHECK_THAT(forwarded(lan, family, from, to), Catch::Contains(std::string("via ") + gw.a));
  CHECK(rules("5200") == 1);
  CHECK(rules("5202") == 1);
}
