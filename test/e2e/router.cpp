#include "test/e2e/router.hpp"

#include <netinet/in.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "test/catch.hpp"

namespace hopwise::e2e {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace

lab::Topology two_upstreams() {
  lab::Topology topology;
  topology.upstreams = {{"isp-a", lab::Daemon::frr, {.delay = 10ms}},
                        {"isp-b", lab::Daemon::bird, {.delay = 15ms}}};
  return topology;
}

Json config_with_anchors(const lab::Lab& lab) {
  Json nexthops = Json::array();
  for (std::size_t i = 0; i < lab.topology().upstreams.size(); ++i)
    for (const Family family : {Family::v4, Family::v6})
      nexthops.push_back(
          {{"name", lab.topology().upstreams[i].name + (family == Family::v4 ? "" : "-v6")},
           {"gateway", must(lab.gateway(i, family)).text()},
           {"interface", lab.wan_device(i)},
           {"anchors", {family == Family::v4 ? lab::kAnchor4 : lab::kAnchor6}}});
  return {{"nexthops", nexthops}};
}

Router::Router(const lab::Topology& topology) : lab_(must(lab::Lab::open(topology))) {}

void Router::start(const std::optional<Json>& config) {
  lab::HopwiseRun run{HOPWISE_BINARY, std::nullopt, {}};
  if (config) {
    Json own = *config;  // with a history of its own: daemons of other labs have theirs
    if (!own.contains("history")) own["history"]["file"] = lab_->folder() / "events.jsonl";
    run.config = own.dump(2);
  }
  daemon_.emplace(must(lab_->start_hopwise(run)));
  wait_ready();
}

void Router::wait_ready() {
  const bool ready = lab::eventually(10s, [this] { return lab_->api_get("/readyz").has_value(); });
  INFO(daemon_->log());
  REQUIRE(ready);
}

Json Router::status() const {
  return Json::parse(must(lab_->api_get("/api/v1/status")));
}

Json Router::explain(const std::string& query) const {
  return Json::parse(must(lab_->api_get("/api/v1/explain?" + query)));
}

Router::Ran Router::hopwise(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), HOPWISE_BINARY);
  auto process = must(lab_->start(lab_->router(), arguments, "cli"));
  const auto ended = process.wait(20s);
  Ran ran{ended.value_or(-1), process.log()};
  std::filesystem::remove(process.log_path());
  return ran;
}

void Router::write_config(const std::string& text) {
  REQUIRE(lab_->write_hopwise_config(text));
}

bool Router::is_gateway(const Json& nexthop, std::size_t upstream, Family family) const {
  const auto gateway = lab_->gateway(upstream, family);
  return gateway && nexthop["gateway"] == gateway->text() &&
         nexthop["interface"] == lab_->wan_device(upstream);
}

Json Router::nexthop(std::size_t upstream, Family family) const {
  const Json now = status();
  for (const Json& nexthop : now["nexthops"])
    if (is_gateway(nexthop, upstream, family)) return nexthop;
  return {};
}

double Router::weight(std::size_t upstream, Family family) const {
  const Json now = status();
  for (const Json& nexthop : now["nexthops"]) {
    if (!is_gateway(nexthop, upstream, family)) continue;
    for (const Json& group : now["groups"])
      for (const Json& path : group["paths"])
        if (path["nexthop_id"] == nexthop["id"]) return path["weight"];
  }
  return 0;
}

std::uint64_t Router::delivered(std::size_t upstream, std::uint16_t service) const {
  const auto counters = lab_->relay().counters(lab_->core_link(upstream));
  const auto& services = counters.forward.by_service;
  const auto found = services.find({IPPROTO_UDP, service});
  return found == services.end() ? 0 : found->second.packets;
}

std::uint64_t Router::packets(const std::string& reason) const {
  return status()["packets_by_reason"].value(reason, std::uint64_t{0});
}

std::unique_ptr<lab::PacketStream> Router::stream(Family family, int packets_per_s) {
  lab::StreamPlan plan;
  plan.server = *IpAddress::parse(family == Family::v4 ? lab::kService4 : lab::kService6);
  plan.port = family == Family::v4 ? 5003 : 5006;
  plan.packets_per_s = packets_per_s;
  return must(lab::PacketStream::start(lab_->client(), lab_->server(), plan));
}

}  // namespace hopwise::e2e
