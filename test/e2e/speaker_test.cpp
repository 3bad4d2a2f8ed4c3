// The routing daemon beside hopwise: killed, hung, in disagreement with the kernel, and with BFD.
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr const char* kFrr = "/usr/lib/frr/";

lab::Topology two_frr_upstreams() {
  lab::Topology topology = two_upstreams();
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::frr;
  return topology;
}

Json config(const lab::Lab& lab) {
  Json config = config_with_anchors(lab);
  config["speaker"] = {{"check", "1s"}, {"timeout", "1s"}};
  return config;
}

std::string speakers_folder(Router& router) {
  return router.lab().folder() / router.lab().router().name();
}

pid_t pid_of(Router& router, const std::string& program) {
  std::ifstream file(speakers_folder(router) + "/" + program + ".pid");
  pid_t pid = 0;
  file >> pid;
  REQUIRE(pid > 1);
  return pid;
}

/// One of FRR's daemons in `where`, with the lab's own files where it has some.
lab::Process start_frr(Router& router, const lab::Namespace& where, const std::string& program) {
  const std::string folder = router.lab().folder() / where.name();
  auto process = router.lab().start(
      where,
      {kFrr + program, "-N", where.name(), "-f", folder + "/" + program + ".conf", "-i",
       folder + "/" + program + ".pid", "-u", "frr", "-g", "frr", "-A", "127.0.0.1", "-P", "0"},
      where.name() + "-" + program);
  REQUIRE(process.has_value());
  return std::move(*process);
}

Json process_in(const Json& status, const std::string& name) {
  for (const Json& process : status["speaker"]["processes"])
    if (process["name"] == name) return process;
  return {{"health", "absent"}, {"restarts", 0}};
}

bool is(Router& router, const std::string& process, const std::string& health) {
  return process_in(router.status(), process)["health"] == health;
}

std::string said(Router& router, const std::string& kind) {
  return router.lab().api_get("/api/v1/events?kind=" + kind).value();
}

/// BFD between the router and upstream `i`, for both families, that nothing is tied to: BGP goes
/// on without it.
void start_bfd(Router& router, std::vector<lab::Process>& daemons) {
  std::string own = "bfd\n";
  const auto peer = [](const std::string& remote, const std::string& local,
                       const std::string& device) {
    return " peer " + remote + " local-address " + local + " interface " + device +
           "\n  detect-multiplier 3\n  receive-interval 50\n  transmit-interval 50\n exit\n";
  };
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string net4 = "10.99." + std::to_string(i) + ".";
    const std::string net6 = "fd00:99:" + std::to_string(i) + "::";
    own += peer(net4 + "2", net4 + "1", router.lab().wan_device(i)) +
           peer(net6 + "2", net6 + "1", router.lab().wan_device(i));
    const auto& upstream = router.lab().upstream(i);
    std::ofstream(router.lab().folder() / upstream.name() / "bfdd.conf")
        << "bfd\n" + peer(net4 + "1", net4 + "2", "eth0") + peer(net6 + "1", net6 + "2", "eth0") +
               "exit\n";
    daemons.push_back(start_frr(router, upstream, "bfdd"));
  }
  std::ofstream(speakers_folder(router) + "/bfdd.conf") << own + "exit\n";
  daemons.push_back(start_frr(router, router.lab().router(), "bfdd"));
}

bool all_sessions_up(Router& router, std::size_t count) {
  const Json bfd = router.status()["speaker"]["bfd"];
  return bfd.size() == count &&
         std::all_of(bfd.begin(), bfd.end(), [](const Json& s) { return s["state"] == "up"; });
}

}  // namespace

TEST_CASE("a killed zebra is told, and costs no packet", "[e2e][speaker]") {
  Router router(two_frr_upstreams());
  router.start(config(router.lab()));
  REQUIRE(lab::eventually(10s, [&] { return is(router, "zebra", "alive"); }));
  REQUIRE(lab::eventually(10s, [&] { return is(router, "bgpd", "alive"); }));
  CHECK(router.status()["speaker"]["kind"] == "frr");
  CHECK(router.status()["speaker"]["note"].is_null());
  CHECK(process_in(router.status(), "zebra")["uptime_s"] > 0);
  auto stream = router.stream(Family::v4);
  REQUIRE(lab::eventually(5s, [&] { return stream->counts().received > 500; }));

  ::kill(pid_of(router, "zebra"), SIGKILL);
  const auto killed = std::chrono::steady_clock::now();
  REQUIRE(lab::eventually(10s, [&] { return is(router, "zebra", "dead"); }));
  const std::chrono::duration<double, std::milli> told = std::chrono::steady_clock::now() - killed;
  CAPTURE(told.count());
  CHECK_THAT(router.status()["speaker"]["note"], Catch::Contains("zebra is dead"));
  CHECK_THAT(router.lab().api_get("/readyz").value(), Catch::Contains("zebra is dead"));
  CHECK_THAT(router.lab().api_get("/metrics").value(),
             Catch::Contains(R"(hopwise_speaker_state{process="zebra",state="dead"} 1)"));
  CHECK_THAT(said(router, "speaker"), Catch::Contains("zebra is dead"));
  CHECK_THAT(router.daemon().log(), Catch::Contains("event=speaker_dead process=zebra"));
  CHECK_THAT(router.hopwise({"status", "--socket", router.lab().hopwise_socket().string()}).output,
             Catch::Contains("NOTE: zebra is dead"));
  const auto at_death = stream->counts().received;
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > at_death + 2000; }));
  CHECK(router.status()["routes_steered"] == 2);
  const auto counts = stream->stop();
  CHECK(counts.lost() == 0);

  auto successor = start_frr(router, router.lab().router(), "zebra");
  REQUIRE(lab::eventually(10s, [&] { return is(router, "zebra", "alive"); }));
  CHECK(process_in(router.status(), "zebra")["restarts"] == 1);
}

TEST_CASE("a bgpd that hangs is silent, and alive when it answers again", "[e2e][speaker]") {
  Router router(two_frr_upstreams());
  router.start(config(router.lab()));
  REQUIRE(lab::eventually(10s, [&] { return is(router, "bgpd", "alive"); }));
  const pid_t bgpd = pid_of(router, "bgpd");
  ::kill(bgpd, SIGSTOP);
  const bool silent = lab::eventually(20s, [&] { return is(router, "bgpd", "silent"); });
  const bool zebra_alive = is(router, "zebra", "alive");
  ::kill(bgpd, SIGCONT);
  CHECK(silent);
  CHECK(zebra_alive);
  CHECK(lab::eventually(10s, [&] { return is(router, "bgpd", "alive"); }));
  CHECK(process_in(router.status(), "bgpd")["restarts"] == 0);
}

TEST_CASE("a failed BFD session takes its nexthop out, and gives it back", "[e2e][speaker]") {
  const Family family = GENERATE(Family::v4, Family::v6);
  Router router(two_frr_upstreams());
  std::vector<lab::Process> bfdds;
  start_bfd(router, bfdds);
  router.start(config(router.lab()));
  REQUIRE(lab::eventually(20s, [&] { return all_sessions_up(router, 4); }));
  auto stream = router.stream(family);
  REQUIRE(lab::eventually(5s, [&] { return stream->counts().received > 500; }));
  REQUIRE(router.weight(0, family) > 0);

  router.lab()
      .upstream(0)
      .run({"nft", "-f", "-"},
           "table inet t { chain o { type filter hook output priority 0; udp dport 3784 drop; }; }")
      .value();
  const auto cut = std::chrono::steady_clock::now();
  REQUIRE(lab::eventually(10s, [&] { return router.weight(0, family) == 0; }));
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - cut;
  CAPTURE(took.count());
  // Detection takes 3 x 50 ms and the next poll 100 ms at most: what is left is room for a machine
  // that is busy. BGP's hold time alone would be 9 s.
  CHECK(took < 5s);
  // BGP and the kernel know nothing of it.
  CHECK(router.lab().offered(family) == std::vector<std::size_t>{0, 1});
  const Json nexthop = router.nexthop(0, family);
  CHECK(nexthop["bfd_down"] == true);
  CHECK(nexthop["link_up"] == true);
  CHECK(router.status()["decisions_by_reason"].value("bfd_down", 0) >= 1);
  CHECK_THAT(said(router, "decision"), Catch::Contains("bfd=down"));
  const auto verified =
      router.hopwise({"verify", "--config", router.lab().hopwise_config().string()});
  INFO(verified.output);
  CHECK(verified.status == 0);
  CHECK_THAT(verified.output, Catch::Contains("BFD says that the way is down"));
  const std::uint16_t port = family == Family::v4 ? 5003 : 5006;
  const auto before = router.delivered(0, port);
  const auto received = stream->counts().received;
  REQUIRE(lab::eventually(10s, [&] { return stream->counts().received > received + 2000; }));
  CHECK(router.delivered(0, port) <= before + 20);  // those that were under way
  CHECK(stream->stop().lost() == 0);

  router.lab().upstream(0).run({"nft", "delete", "table", "inet", "t"}).value();
  CHECK(lab::eventually(15s, [&] { return router.weight(0, family) > 0; }));
  CHECK(router.nexthop(0, family)["bfd_down"] == false);
}

TEST_CASE("a bfdd that dies holds nothing against a nexthop", "[e2e][speaker]") {
  Router router(two_frr_upstreams());
  std::vector<lab::Process> bfdds;
  start_bfd(router, bfdds);
  router.start(config(router.lab()));
  REQUIRE(lab::eventually(20s, [&] { return all_sessions_up(router, 4); }));
  // The upstream's dies: its session fails, and its nexthops go.
  bfdds[0].kill(SIGKILL);
  REQUIRE(lab::eventually(10s, [&] { return router.nexthop(0, Family::v4)["bfd_down"] == true; }));
  REQUIRE(lab::eventually(10s, [&] { return router.nexthop(0, Family::v6)["bfd_down"] == true; }));
  // Ours dies: nothing is known any more.
  bfdds[2].kill(SIGKILL);
  REQUIRE(lab::eventually(10s, [&] { return is(router, "bfdd", "dead"); }));
  CHECK(lab::eventually(5s, [&] { return router.nexthop(0, Family::v4)["bfd_down"] == false; }));
  CHECK(router.status()["speaker"]["bfd"].empty());
}

TEST_CASE("a kernel route that is not zebra's is told, and told as over", "[e2e][speaker]") {
  Router router(two_frr_upstreams());
  router.start(config(router.lab()));
  REQUIRE(lab::eventually(10s, [&] { return router.status()["speaker"]["looks"] > 4; }));
  CHECK(router.status()["speaker"]["divergences"].empty());

  // What a stale group leaves: zebra takes a route of protocol bgp for its own, and says nothing.
  const auto by = [](std::size_t i) {
    return " nexthop via 10.99." + std::to_string(i) + ".2 dev wan" + std::to_string(i);
  };
  const std::string route = "route replace 203.0.113.0/24 proto 186 metric 20";
  router.lab().router().ip(route + by(0)).value();
  REQUIRE(lab::eventually(30s, [&] { return !router.status()["speaker"]["divergences"].empty(); }));
  const Json seen = router.status()["speaker"]["divergences"][0];
  CHECK(seen["prefix"] == "203.0.113.0/24");
  CHECK(seen["kind"] == "missing");
  CHECK(seen["missing"] == Json{"10.99.1.2@wan1"});
  CHECK_THAT(router.lab().api_get("/metrics").value(),
             Catch::Contains(R"(hopwise_rib_fib_divergent{kind="missing"} 1)"));
  CHECK_THAT(router.daemon().log(), Catch::Contains("nexthop-group keep 1"));
  CHECK_THAT(said(router, "speaker"), Catch::Contains("the kernel lacks 10.99.1.2@wan1"));

  router.lab().router().ip(route + by(0) + by(1)).value();
  CHECK(lab::eventually(30s, [&] { return router.status()["speaker"]["divergences"].empty(); }));
  CHECK_THAT(router.daemon().log(), Catch::Contains("event=rib_fib_agrees"));
}
