// Classes of traffic in the lab: voice and bulk go different ways over the same nexthops, and a
// group in dry run is decided about while routing carries it.
#include <csignal>
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr std::uint16_t kVoice = 5014, kBulk = 5015, kOther = 5016;
constexpr int kExpedited = 46;

// The first is near and dear, the second far and free.
lab::Topology near_and_far() {
  lab::Topology topology = two_upstreams();
  topology.upstreams[1].impairment.delay = 60ms;
  return topology;
}

Json with_classes(const lab::Lab& lab) {
  Json config = config_with_anchors(lab);
  for (Json& nexthop : config["nexthops"])
    nexthop["price"] = nexthop["interface"] == lab.wan_device(0) ? 1 : 0;
  config["engine"] = {{"max_step", 0.2}};
  config["classes"] = {
      {{"name", "voice"},
       {"match", {{{"dscp", {"EF"}}}, {{"protocol", "udp"}, {"ports", {std::to_string(kVoice)}}}}},
       {"policy", "latency"}},
      {{"name", "bulk"},
       {"match", {{{"protocol", "udp"}, {"ports", {std::to_string(kBulk)}}}}},
       {"policy", {{"base", "cost"}, {"price_weight", 4}}}}};
  return config;
}

std::unique_ptr<lab::PacketStream> stream(Router& router, std::uint16_t port, int dscp = 0) {
  lab::StreamPlan plan;
  plan.server = *IpAddress::parse(lab::kService4);
  plan.port = port;
  plan.packets_per_s = 200;
  plan.dscp = dscp;
  auto started = lab::PacketStream::start(router.lab().client(), router.lab().server(), plan);
  REQUIRE(started.has_value());
  return std::move(*started);
}

// The group of this class (null: of all that is of none) that IPv4's upstream 0 is in.
Json group_of(const Router& router, const Json& name) {
  const Json id = router.nexthop(0, Family::v4)["id"];
  const Json now = router.status();
  for (const Json& group : now["groups"])
    for (const Json& path : group["paths"])
      if (group["traffic_class"] == name && path["nexthop_id"] == id) return group;
  return {};
}

double share_of_first(const Router& router, const Json& name) {
  const Json id = router.nexthop(0, Family::v4)["id"];
  const Json group = group_of(router, name);
  if (group.is_null()) return -1;
  for (const Json& path : group["paths"])
    if (path["nexthop_id"] == id) return path["weight"];
  return -1;
}

std::uint64_t carried(const Json& group) {
  std::uint64_t packets = 0;
  for (const Json& path : group["paths"]) packets += path["forward_packets"].get<std::uint64_t>();
  return packets;
}

void wait_until_apart(const Router& router) {
  const bool apart = lab::eventually(60s, [&] {
    return share_of_first(router, "voice") > 0.9 && share_of_first(router, "bulk") < 0.1;
  });
  INFO(router.status().dump(1));
  REQUIRE(apart);
}

}  // namespace

TEST_CASE("each class' packets are its group's, by port and by DSCP", "[e2e][classes]") {
  Router router(two_upstreams());
  router.start(with_classes(router.lab()));
  auto voice = stream(router, kVoice);
  auto marked = stream(router, kOther, kExpedited);
  auto bulk = stream(router, kBulk);
  CHECK(lab::eventually(20s, [&] { return carried(group_of(router, "voice")) > 400; }));
  CHECK(lab::eventually(20s, [&] { return carried(group_of(router, "bulk")) > 200; }));
  CHECK(carried(group_of(router, nullptr)) == 0);
  const Json told = router.explain("src=10.10.0.2&dst=203.0.113.9&proto=udp&sport=1&dport=" +
                                   std::to_string(kOther) + "&dscp=46");
  CHECK(told["class"] == "voice");
  CHECK(told["class_rule"] == 1);
  for (auto* each : {&voice, &marked, &bulk}) CHECK((*each)->stop().lost() == 0);
}

TEST_CASE("voice and bulk go different ways over the same nexthops, after a restart too",
          "[policies][e2e][classes]") {
  Router router(near_and_far());
  const Json config = with_classes(router.lab());
  router.start(config);
  wait_until_apart(router);
  const Json before = group_of(router, "voice")["id"];
  auto voice = stream(router, kVoice);
  auto bulk = stream(router, kBulk);
  REQUIRE(lab::eventually(20s, [&] { return voice->counts().received > 1000; }));
  CHECK(router.delivered(0, kVoice) > 9 * router.delivered(1, kVoice));
  CHECK(router.delivered(1, kBulk) > 9 * router.delivered(0, kBulk));

  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  router.start(config);
  CHECK(group_of(router, "voice")["id"] == before);
  CHECK(share_of_first(router, "voice") > 0.8);
  CHECK(share_of_first(router, "bulk") < 0.2);
  CHECK(voice->stop().lost() == 0);
  CHECK(bulk->stop().lost() == 0);
}

TEST_CASE("a reload changes classes under traffic, and loses none of it", "[e2e][classes]") {
  Router router(two_upstreams());
  Json config = with_classes(router.lab());
  router.start(config);
  auto voice = stream(router, kVoice);
  REQUIRE(lab::eventually(20s, [&] { return carried(group_of(router, "voice")) > 100; }));

  config["classes"].erase(0);  // bulk alone, with all of voice's ports too
  config["classes"][0]["match"][0]["ports"].push_back(std::to_string(kVoice));
  router.write_config(config.dump());
  router.daemon().kill(SIGHUP);
  REQUIRE(lab::eventually(10s, [&] { return group_of(router, "voice").is_null(); }));
  const auto then = carried(group_of(router, "bulk"));
  CHECK(lab::eventually(20s, [&] { return carried(group_of(router, "bulk")) > then + 100; }));

  config.erase("classes");
  router.write_config(config.dump());
  router.daemon().kill(SIGHUP);
  CHECK(lab::eventually(20s, [&] { return carried(group_of(router, nullptr)) > 100; }));
  CHECK(router.status()["dataplane_events"]["flow_moved"] == 0);
  CHECK(voice->stop().lost() == 0);
}

TEST_CASE("a group in dry run goes routing's way while decisions are told", "[e2e][classes]") {
  Router router(two_upstreams());
  Json config = config_with_anchors(router.lab());
  config["groups"] = {{{"name", "all"}, {"nexthops", {"isp-a", "isp-b"}}, {"mode", "dry_run"}}};
  router.start(config);
  auto traffic = stream(router, kOther);
  REQUIRE(lab::eventually(20s, [&] { return router.delivered(0, kOther) > 200; }));
  REQUIRE(lab::eventually(
      10s, [&] { return router.nexthop(0, Family::v4)["probes"][0]["received"] > 25; }));
  CHECK(group_of(router, nullptr)["law"]["mode"] == "dry_run");

  router.lab().relay().set(router.lab().core_link(0), {.delay = 90ms});
  REQUIRE(lab::eventually(20s, [&] { return share_of_first(router, nullptr) < 0.1; }));
  const auto before = router.delivered(0, kOther);
  CHECK(lab::eventually(20s, [&] { return router.delivered(0, kOther) > before + 200; }));
  CHECK(carried(group_of(router, nullptr)) == 0);
  CHECK(router.packets("control") > 400);
  CHECK(traffic->stop().lost() == 0);
}

TEST_CASE("a class that a reload adds begins as its group is; one that it moves keeps its own",
          "[e2e][classes]") {
  Router router(near_and_far());
  Json config = config_with_anchors(router.lab());
  config["engine"] = {{"max_step", 0.2}};
  router.start(config);
  REQUIRE(lab::eventually(60s, [&] { return share_of_first(router, nullptr) > 0.9; }));
  const auto reload = [&] {
    router.write_config(config.dump());
    router.daemon().kill(SIGHUP);
  };
  config["engine"]["max_step"] = 0.001;  // what moves now is no decision's doing
  config["classes"] = with_classes(router.lab())["classes"];
  reload();
  REQUIRE(lab::eventually(10s, [&] { return !group_of(router, "voice").is_null(); }));
  // A new group says nothing of shares before its first decision.
  for (const char* name : {"voice", "bulk"})
    CHECK(lab::eventually(5s, [&] { return share_of_first(router, name) > 0.85; }));

  const Json voice = group_of(router, "voice")["id"], bulk = group_of(router, "bulk")["id"];
  std::swap(config["classes"][0], config["classes"][1]);
  config["classes"][0]["policy"] = "throughput";
  reload();
  REQUIRE(lab::eventually(
      10s, [&] { return group_of(router, "bulk")["law"]["policy"] == "throughput"; }));
  CHECK(group_of(router, "voice")["id"] == voice);
  CHECK(group_of(router, "bulk")["id"] == bulk);
}

TEST_CASE("a restart with the classes in another order gives none the weights of another",
          "[policies][e2e][classes]") {
  Router router(near_and_far());
  Json config = with_classes(router.lab());
  router.start(config);
  wait_until_apart(router);
  const Json voice = group_of(router, "voice")["id"], bulk = group_of(router, "bulk")["id"];

  router.daemon().kill(SIGKILL);
  router.daemon().wait(2s);
  std::swap(config["classes"][0], config["classes"][1]);
  config["engine"]["max_step"] = 0.001;
  router.start(config);
  for (const Json& before : {voice, bulk}) {
    CHECK(group_of(router, "voice")["id"] != before);
    CHECK(group_of(router, "bulk")["id"] != before);
  }
  CHECK(share_of_first(router, "voice") > 0.4);
  CHECK(share_of_first(router, "bulk") < 0.6);
}

TEST_CASE("a group that routing takes away for a moment comes back as the reload meanwhile has it",
          "[e2e][classes]") {
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  Router router(topology);
  Json config = config_with_anchors(router.lab());
  config["groups"] = {{{"name", "all"}, {"nexthops", {"isp-a", "isp-b"}}}};
  router.start(config);
  CHECK(group_of(router, nullptr)["law"]["mode"] == "steer");

  const lab::Namespace& host = router.lab().router();
  const std::string saved = "/tmp/hopwise-routes-" + host.name();
  REQUIRE(host.run(
      {"sh", "-c",
       "ip -4 route save root 203.0.113.0/24 > " + saved + " && ip -4 route del 203.0.113.0/24"}));
  REQUIRE(lab::eventually(10s, [&] { return group_of(router, nullptr).is_null(); }));
  config["groups"][0]["mode"] = "dry_run";
  router.write_config(config.dump());
  router.daemon().kill(SIGHUP);
  REQUIRE(lab::eventually(10s, [&] { return router.status()["reloads"] == 1; }));
  REQUIRE(host.run({"sh", "-c", "ip -4 route restore < " + saved + " && rm " + saved}));
  REQUIRE(lab::eventually(10s, [&] { return !group_of(router, nullptr).is_null(); }));
  CHECK(group_of(router, nullptr)["law"]["mode"] == "dry_run");
}
