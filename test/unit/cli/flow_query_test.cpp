#include "core/cli/flow_query.hpp"

#include "core/api/server.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace std::chrono_literals;
using cli::FlowOptions;
using cli::FlowOrder;

namespace {

const std::vector<cli::NamedNexthop> kNexthops{{NexthopId{1}, "isp-a", "192.0.2.1"},
                                               {NexthopId{2}, "isp-b", "198.51.100.1"},
                                               {NexthopId{3}, "isp-c", "198.51.100.1"},
                                               {NexthopId{4}, "2", "fe80::1"}};

cli::FlowQuery parsed(const FlowOptions& options) {
  const auto query = cli::parse_flow_query(options, kNexthops);
  if (!query) FAIL(query.error().message);
  return *query;
}

std::string refused(const FlowOptions& options,
                    const std::vector<cli::NamedNexthop>& nexthops = kNexthops) {
  const auto query = cli::parse_flow_query(options, nexthops);
  return query ? "accepted" : query.error().message;
}

}  // namespace

TEST_CASE("a bare `hopwise flows` asks for the 50 largest of all flows") {
  const auto query = parsed({});
  CHECK_FALSE(query.filter.source);
  CHECK_FALSE(query.filter.destination);
  CHECK_FALSE(query.filter.protocol);
  CHECK_FALSE(query.filter.port);
  CHECK_FALSE(query.filter.nexthop);
  CHECK_FALSE(query.filter.group);
  CHECK(query.filter.idle_below == Duration::max());
  CHECK(query.order == FlowOrder::bytes);
  CHECK(query.limit == 50);
}

TEST_CASE("every option of `hopwise flows` reaches the filter") {
  FlowOptions options;
  options.source = "10.0.0.0/8";
  options.destination = "203.0.113.9";
  options.protocol = "udp";
  options.port = "53";
  options.nexthop = "isp-b";
  options.group = "7";
  options.active = "10s";
  options.sort = "retransmissions";
  options.limit = "3";
  const auto query = parsed(options);
  CHECK(query.filter.source == Prefix::parse("10.0.0.0/8"));
  CHECK(query.filter.destination == Prefix::parse("203.0.113.9/32"));
  CHECK(query.filter.protocol == 17);
  CHECK(query.filter.port == 53);
  CHECK(query.filter.nexthop == NexthopId{2});
  CHECK(query.filter.group == GroupId{7});
  CHECK(query.filter.idle_below == 10s);
  CHECK(query.order == FlowOrder::retransmissions);
  CHECK(query.limit == 3);
}

TEST_CASE("a nexthop is meant by its name, then its gateway, then its id") {
  const auto meant = [](const char* typed) {
    FlowOptions options;
    options.nexthop = typed;
    return parsed(options).filter.nexthop;
  };
  CHECK(meant("isp-a") == NexthopId{1});
  CHECK(meant("192.0.2.1") == NexthopId{1});
  CHECK(meant("2") == NexthopId{4});
  CHECK(meant("3") == NexthopId{3});
  FlowOptions options;
  options.nexthop = "198.51.100.1";
  CHECK(refused(options) ==
        "--nexthop: \"198.51.100.1\" is the gateway of several (one of isp-b, isp-c)");
  options.nexthop = "isp-z";
  CHECK(refused(options) ==
        "--nexthop: \"isp-z\" is no nexthop (a name, an id or a gateway: isp-a, isp-b, isp-c, 2)");
  CHECK(refused(options, {}) ==
        "--nexthop: \"isp-z\" is known to the daemon only, which does not answer (give the id)");
}

TEST_CASE("times are written with their unit") {
  const auto time = [](const char* typed) {
    FlowOptions options;
    options.active = typed;
    return parsed(options).filter.idle_below;
  };
  CHECK(time("500ms") == 500ms);
  CHECK(time("2m") == 2min);
  CHECK(time("1h") == 1h);
  for (const char* typed :
       {"10", "s", "-1s", "1.5s", "0s", "10 s", "1d", "99999999999s", "4294967295h", "10sx"}) {
    FlowOptions options;
    options.active = typed;
    CHECK(refused(options) ==
          std::string("--active: \"") + typed + "\" is no time (500ms, 10s, 2m, 1h)");
  }
}

TEST_CASE("what a flow option cannot mean is refused with the option's name and a remedy") {
  const auto with = [](std::string FlowOptions::*option, const char* typed) {
    FlowOptions options;
    options.*option = typed;
    return refused(options);
  };
  const char* no_prefix = " is no address or prefix (10.0.0.2, 10.0.0.0/8)";
  CHECK(with(&FlowOptions::source, "10.0.0.1/8") ==
        "--source: \"10.0.0.1/8\"" + std::string(no_prefix));
  CHECK(with(&FlowOptions::destination, "nowhere") ==
        "--destination: \"nowhere\"" + std::string(no_prefix));
  CHECK(with(&FlowOptions::protocol, "sctp") ==
        "--protocol: \"sctp\" is unknown (tcp, udp, icmp or a number to 255)");
  CHECK(with(&FlowOptions::protocol, "256") ==
        "--protocol: \"256\" is unknown (tcp, udp, icmp or a number to 255)");
  CHECK(with(&FlowOptions::port, "65536") == "--port: \"65536\" is no port (0 to 65535)");
  CHECK(with(&FlowOptions::port, "https") == "--port: \"https\" is no port (0 to 65535)");
  CHECK(with(&FlowOptions::group, "0") ==
        "--group: \"0\" is no group (a number: `hopwise status` shows them)");
  CHECK(with(&FlowOptions::sort, "size") ==
        "--sort: \"size\" is no order (bytes, packets, rtt, retransmissions, age or idle)");
  for (const char* limit : {"0", "-1", "many", "1000001"})
    CHECK(with(&FlowOptions::limit, limit) ==
          std::string("--limit: \"") + limit + "\" is no number of flows (1 to 1000000)");
  FlowOptions mixed;
  mixed.source = "10.0.0.1";
  mixed.destination = "2001:db8::1";
  CHECK(refused(mixed) == "--source and --destination are of different families");
}

TEST_CASE("the daemon's status tells what nexthops are called") {
  const auto named = cli::named_nexthops(api::to_json(example_status(), TimePoint(100s)));
  REQUIRE(named.size() == 2);
  CHECK(named[0].id == NexthopId{1});
  CHECK(named[0].name == "isp-a");
  CHECK(named[1].gateway == "198.51.100.1");
  for (const char* other : {"", "{}", "[]", "{\"nexthops\": 1}", "{\"nexthops\": [{\"id\": 1}]}"})
    CHECK(cli::named_nexthops(other).empty());
}
