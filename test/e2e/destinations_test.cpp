// Destinations with much traffic get groups of their own: two prefixes of the lab's server, behind
// the same upstreams, one of which carries most. Such a group is measured by its own traffic, and
// moved by it where no anchor tells anything.
#include <netinet/in.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"
#include "test/lab/traffic.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

const char* const kHeavy = "198.51.100.0/24";

/// The group for this prefix alone; null without one.
Json group_of(const Router& router, const std::string& prefix) {
  const Json status = router.status();
  for (const Json& group : status["groups"])
    if (group["destination"] == prefix) return group;
  return nullptr;
}

lab::Topology fixed_routes() {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  return topology;
}

void run(const lab::Namespace& where, const std::string& command) {
  const auto done = where.run({"sh", "-c", command});
  INFO(command);
  REQUIRE(done);
}

struct Prefixes {
  std::string address, route;  // of the server's; what leads there
  Family family = Family::v4;
};
const Prefixes kAlone{"198.51.100.9", kHeavy};
const Prefixes kBelow{"198.51.100.9", "198.51.100.0/22"};  // /24s are promoted
const Prefixes kSix{"2001:db8:51::9", "2001:db8:50::/44", Family::v6};

enum class Weights : std::uint8_t { even, uneven };

void offer(Router& router, const Prefixes& prefixes, Weights weights = Weights::even) {
  lab::Lab& lab = router.lab();
  std::string route = "ip route replace " + prefixes.route;
  for (std::size_t i = 0; i < 2; ++i)
    route += " nexthop via " + lab.gateway(i, prefixes.family)->text() + " dev " +
             lab.wan_device(i) + " weight " + (weights == Weights::uneven && i == 0 ? "3" : "1");
  run(lab.router(), route);
}

void offer_one(Router& router, const std::string& route, Family family) {
  run(router.lab().router(), "ip route replace " + route + " via " +
                                 router.lab().gateway(0, family)->text() + " dev " +
                                 router.lab().wan_device(0));
}

/// A second service prefix, offered by the same nexthops as the first.
void add_prefix(Router& router, const Prefixes& prefixes = kAlone) {
  lab::Lab& lab = router.lab();
  const bool v4 = prefixes.family == Family::v4;
  run(lab.server(),
      "ip address add " + prefixes.address + (v4 ? "/32 dev lo" : "/128 dev lo nodad"));
  for (std::size_t i = 0; i < 2; ++i)
    run(lab.upstream(i), "ip route add " + prefixes.route + " via " + (v4 ? "10.98." : "fd00:98:") +
                             std::to_string(i) + (v4 ? ".2" : "::2"));
  offer(router, prefixes);
}

Json looking_each_second(const lab::Lab& lab) {
  Json config = config_with_anchors(lab);
  config["destinations"] = {{"every", "1s"}};
  return config;
}

std::unique_ptr<lab::PacketStream> heavy_stream(Router& router, const Prefixes& to) {
  lab::StreamPlan plan;
  plan.server = *IpAddress::parse(to.address);
  plan.port = 5009;
  plan.packets_per_s = 1000;
  auto started = lab::PacketStream::start(router.lab().client(), router.lab().server(), plan);
  REQUIRE(started);
  return std::move(*started);
}

Json explain(const Router& router, const Prefixes& to) {
  const std::string source = to.family == Family::v4 ? "10.10.0.2" : "fd00:10::2";
  return router.explain("src=" + source + "&dst=" + to.address + "&proto=udp&sport=9&dport=5009");
}

bool is_promoted_soon(const Router& router, const std::string& prefix) {
  return lab::eventually(30s, [&] { return !group_of(router, prefix).is_null(); });
}

}  // namespace

TEST_CASE("a destination with most of the traffic gets a group of its own, while its route lasts",
          "[e2e][destinations]") {
  Router router(fixed_routes());
  add_prefix(router);
  Json config = config_with_anchors(router.lab());
  config["destinations"] = {{"every", "1s"}};
  router.start(config);

  auto light = router.stream(Family::v4, 100);
  lab::StreamPlan plan;
  plan.server = *IpAddress::parse("198.51.100.9");
  plan.port = 5009;
  plan.packets_per_s = 1000;
  auto heavy = lab::PacketStream::start(router.lab().client(), router.lab().server(), plan);
  REQUIRE(heavy);

  REQUIRE(lab::eventually(30s, [&] { return !group_of(router, kHeavy).is_null(); }));
  const Json base = router.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&sport=9&dport=5003");
  const Json own = router.explain("src=10.10.0.2&dst=198.51.100.9&proto=udp&sport=9&dport=5009");
  CHECK(own["group"] != base["group"]);
  CHECK(own["group"] == group_of(router, kHeavy)["id"]);
  CHECK(router.status()["destinations"]["promoted"] >= 1);
  REQUIRE(lab::eventually(10s, [&] {
    std::uint64_t packets = 0;
    const Json group = group_of(router, kHeavy);
    for (const Json& path : group["paths"]) packets += path["forward_packets"].get<std::uint64_t>();
    return packets > 500;
  }));

  run(router.lab().router(), std::string("ip route del ") + kHeavy);
  CHECK(lab::eventually(5s, [&] { return group_of(router, kHeavy).is_null(); }));
  light->stop();
  (*heavy)->stop();
  CHECK(light->counts().received > 0);
}

TEST_CASE("a destination follows its route: to other weights, to the kernel and back",
          "[e2e][destinations]") {
  Router router(fixed_routes());
  add_prefix(router);
  router.start(looking_each_second(router.lab()));
  auto light = router.stream(Family::v4, 100);
  auto heavy = heavy_stream(router, kAlone);
  REQUIRE(is_promoted_soon(router, kHeavy));
  const Json before = group_of(router, kHeavy);

  offer(router, kAlone, Weights::uneven);
  REQUIRE(lab::eventually(5s, [&] {
    const Json now = group_of(router, kHeavy);
    return !now.is_null() && now["id"] != before["id"];
  }));
  CHECK(explain(router, kAlone)["group"] == group_of(router, kHeavy)["id"]);
  CHECK(router.status()["dataplane_events"]["flow_moved"] == 0);

  offer_one(router, kHeavy, Family::v4);
  REQUIRE(lab::eventually(5s, [&] { return group_of(router, kHeavy).is_null(); }));
  CHECK(explain(router, kAlone)["group"].is_null());

  offer(router, kAlone);
  CHECK(lab::eventually(5s, [&] { return !explain(router, kAlone)["group"].is_null(); }));
  CHECK(heavy->stop().lost() == 0);
  CHECK(light->stop().lost() == 0);
}

TEST_CASE("a daemon that begins anew leaves nothing of the promotions before it",
          "[e2e][destinations]") {
  Router router(fixed_routes());
  add_prefix(router, kBelow);
  Json config = looking_each_second(router.lab());
  router.start(config);
  auto light = router.stream(Family::v4, 100);
  auto heavy = heavy_stream(router, kBelow);
  REQUIRE(is_promoted_soon(router, kHeavy));

  config["destinations"]["every"] = "10m";  // none of its own
  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  router.start(config);
  CHECK(group_of(router, kHeavy).is_null());
  const Json base = router.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&sport=9&dport=5003");
  CHECK(explain(router, kBelow)["route"] == kBelow.route);
  CHECK(explain(router, kBelow)["group"] == base["group"]);
  CHECK(router.status()["dataplane_events"]["flow_moved"] == 0);

  offer_one(router, kBelow.route, Family::v4);  // nothing stale shadows it
  CHECK(lab::eventually(5s, [&] { return explain(router, kBelow)["group"].is_null(); }));
  CHECK(heavy->stop().lost() == 0);
  CHECK(light->stop().lost() == 0);
}

TEST_CASE("an IPv6 destination is a /48, and a route to it takes it away", "[e2e][destinations]") {
  const char* const kOwn = "2001:db8:51::/48";
  Router router(fixed_routes());
  add_prefix(router, kSix);
  router.start(looking_each_second(router.lab()));
  auto light = router.stream(Family::v6, 100);
  auto heavy = heavy_stream(router, kSix);
  REQUIRE(is_promoted_soon(router, kOwn));
  CHECK(explain(router, kSix)["route"] == kOwn);

  offer_one(router, kOwn, Family::v6);
  REQUIRE(lab::eventually(5s, [&] { return group_of(router, kOwn).is_null(); }));
  CHECK(explain(router, kSix)["group"].is_null());
  run(router.lab().router(), std::string("ip route del ") + kOwn);
  CHECK(lab::eventually(5s, [&] { return !explain(router, kSix)["group"].is_null(); }));
  CHECK(heavy->stop().lost() == 0);
  CHECK(light->stop().lost() == 0);
}

TEST_CASE("a reload ends what it switches off or filters, and loses no packet",
          "[e2e][destinations]") {
  Router router(fixed_routes());
  add_prefix(router, kBelow);
  Json config = looking_each_second(router.lab());
  router.start(config);
  auto light = router.stream(Family::v4, 100);
  auto heavy = heavy_stream(router, kBelow);
  REQUIRE(is_promoted_soon(router, kHeavy));
  const auto reload = [&] {
    router.write_config(config.dump());
    router.daemon().kill(SIGHUP);
    return lab::eventually(5s, [&] { return group_of(router, kHeavy).is_null(); });
  };

  config["routes"]["except"] = {kHeavy};
  REQUIRE(reload());
  CHECK(explain(router, kBelow)["route"] == kBelow.route);
  config["routes"].erase("except");
  router.write_config(config.dump());
  router.daemon().kill(SIGHUP);
  REQUIRE(is_promoted_soon(router, kHeavy));

  config["destinations"]["count"] = 0;
  REQUIRE(reload());
  CHECK(router.status()["dataplane_events"]["flow_moved"] == 0);
  CHECK(heavy->stop().lost() == 0);
  CHECK(light->stop().lost() == 0);
}

namespace {

/// TCP uploads: `a_second` flows of 50 kB, and some that last.
std::unique_ptr<lab::Traffic> uploads(Router& router, const std::string& server, int lasting,
                                      double a_second) {
  lab::TrafficPlan plan;
  plan.server = *IpAddress::parse(server);
  plan.long_flows = lasting;
  plan.new_flows_per_s = a_second;
  plan.mbit = 0.4 * a_second + 0.1 * lasting;
  auto started = lab::Traffic::start(router.lab().client(), router.lab().server(), plan,
                                     std::chrono::steady_clock::now());
  REQUIRE(started.has_value());
  return std::move(*started);
}

/// What the law holds of this prefix's path by upstream i; null without a group of its own.
Json path_of(Router& router, const std::string& prefix, std::size_t upstream) {
  const Json all = Json::parse(router.lab().api_get("/api/v1/groups").value());
  for (const Json& group : all["groups"])
    if (group["destination"] == prefix)
      for (const Json& path : group["paths"])
        if (path["nexthop"] == router.lab().topology().upstreams[upstream].name) return path;
  return nullptr;
}

/// TCP packets of a service that a link has delivered to the server.
std::uint64_t delivered(Router& router, lab::LinkId link, std::uint16_t service) {
  const auto counters = router.lab().relay().counters(link).forward.by_service;
  const auto found = counters.find({IPPROTO_TCP, service});
  return found == counters.end() ? 0 : found->second.packets;
}

}  // namespace

// 35 ms more to one prefix beyond upstream a, where no anchor is: both ways look alike to probes.
TEST_CASE("a destination's new flows leave a way that is bad for it alone", "[e2e][destinations]") {
  const char* const kOthers = "203.0.113.0/24";
  lab::Topology topology = fixed_routes();
  for (auto& upstream : topology.upstreams) upstream.impairment = {.delay = 10ms};
  Router router(topology);
  add_prefix(router);
  const auto far = router.lab().add_line(0, *Prefix::parse(kHeavy));
  REQUIRE(far.has_value());
  router.lab().relay().set(*far, {.delay = 45ms});
  Json config = looking_each_second(router.lab());
  config["engine"]["max_step"] = 0.1;  // five times faster than by itself
  router.start(config);
  auto others = uploads(router, lab::kService4, 0, 20);
  auto heavy = uploads(router, kAlone.address, 10, 40);
  REQUIRE(is_promoted_soon(router, kHeavy));

  const bool moved = lab::eventually(120s, [&] {
    const Json path = path_of(router, kHeavy, 1);
    return !path.is_null() && path["weight"] > 0.98;
  });
  const std::string socket = router.lab().hopwise_socket();
  const Json own = group_of(router, kHeavy);
  const auto explained = router.hopwise({"explain", own["id"].dump(), "-s", socket});
  INFO(explained.output);
  REQUIRE(moved);
  CHECK(explained.output.find("BY TRAFFIC") != std::string::npos);
  // By its traffic alone: no probe has seen a difference.
  const Json bad = path_of(router, kHeavy, 0);
  const Json good = path_of(router, kHeavy, 1);
  INFO(bad.dump(1) << good.dump(1));
  CHECK(std::abs(bad["active_ms"].get<double>() - good["active_ms"].get<double>()) < 10);
  CHECK(bad["passive_ms"].get<double>() > good["passive_ms"].get<double>() + 20);
  CHECK(bad["disagreement_ms"].get<double>() > 20);
  // The history says who was moved, from where and why; nobody else was.
  const auto told =
      router.hopwise({"events", "--kind", "decision", "--reason", "cost", "-j", "-s", socket});
  INFO(told.output);
  std::istringstream lines(told.output);
  double told_ms = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json event = Json::parse(line);
    CHECK(event["group"] == own["id"]);
    CHECK(event["cause"] == "isp-a");
    const std::string evidence = event["evidence"];
    told_ms = std::stod(evidence.substr(evidence.find(" rtt_ms=") + 8));
  }
  CHECK(told_ms > 40);

  // The others stay where they are, and so do the flows that had begun.
  const Json other = path_of(router, kOthers, 0);
  if (!other.is_null()) CHECK(other["weight"] > 0.4);
  const auto new_there = [&] { return delivered(router, *far, lab::kShortPort); };
  const auto lasting_there = [&] { return delivered(router, *far, lab::kLongPort); };
  const auto others_there = [&] {
    return delivered(router, router.lab().core_link(0), lab::kShortPort);
  };
  const auto fresh = new_there(), lasting = lasting_there(), rest = others_there();
  const auto elsewhere = delivered(router, router.lab().core_link(1), lab::kShortPort);
  REQUIRE(lab::eventually(60s, [&] {
    return delivered(router, router.lab().core_link(1), lab::kShortPort) > elsewhere + 5000;
  }));
  CHECK(new_there() - fresh < 500);
  CHECK(lasting_there() > lasting);
  CHECK(others_there() > rest + 500);
  CHECK(router.status()["dataplane_events"]["flow_moved"] == 0);
}
