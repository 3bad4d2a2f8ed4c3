// The law against real queues: two routers that know nothing of each other share two links, and
// load beyond one link's capacity is spread until neither queue stands.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"
#include "test/lab/traffic.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

namespace {

constexpr const char* kServers[] = {"203.0.113.9", "203.0.113.10"};  // one a site
constexpr double kTurn = 0.05;  // of a weight: less is no oscillation

lab::Topology two_sites() {
  lab::Topology topology;
  topology.router = lab::Daemon::none;
  topology.sites = 2;
  const auto line = [](Duration delay, std::uint64_t mbit) {
    return lab::Impairment{
        .delay = delay, .jitter = 500us, .rate_bit_s = mbit * 1'000'000, .queue = 100ms};
  };
  topology.upstreams = {{"isp-a", lab::Daemon::none, line(10ms, 40)},
                        {"isp-b", lab::Daemon::none, line(15ms, 20)}};
  return topology;
}

Json config_of(const lab::Lab& lab, lab::Site site) {
  Json nexthops = Json::array();
  for (std::size_t i = 0; i < 2; ++i)
    nexthops.push_back({{"name", lab.topology().upstreams[i].name},
                        {"gateway", lab.gateway(i, Family::v4, site).value().text()},
                        {"capacity", i == 0 ? "40Mbit" : "20Mbit"},
                        {"anchors", {lab::kAnchor4}}});
  return {{"nexthops", nexthops},
          {"routes", {{"only", {"0.0.0.0/0"}}}},
          {"dataplane", {{"pin_root", ""}}},
          {"api", {{"listen", ""}}}};
}

/// How often the first path's weight turned round, in decisions made since `since_s`.
int turns(const Json& status, double since_s) {
  double extreme = -1;
  int direction = 0, turned = 0;
  for (const Json& decision : status["recent_decisions"]) {
    if (decision["at_s"] < since_s) continue;
    const double after = decision["paths"][0]["after"];
    if (extreme < 0) extreme = decision["paths"][0]["before"];
    const int now = after > extreme + kTurn ? 1 : after < extreme - kTurn ? -1 : 0;
    if (now == 0) continue;
    if (direction != 0 && now != direction) ++turned;
    direction = now;
    extreme = after;
  }
  return turned;
}

std::uint64_t dropped(lab::Lab& lab) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < 2; ++i) all += lab.relay().counters(lab.core_link(i)).forward.dropped;
  return all;
}

}  // namespace

TEST_CASE("two routers share two links without oscillation, and no queue stands", "[e2e][law]") {
  auto lab = lab::Lab::open(two_sites()).value();
  std::vector<lab::Process> daemons;
  std::vector<std::unique_ptr<lab::Traffic>> traffic;
  const auto origin = std::chrono::steady_clock::now();
  for (const lab::Site site : {lab::Site::first, lab::Site::second}) {
    daemons.push_back(
        lab->start_hopwise({HOPWISE_BINARY, config_of(*lab, site).dump(2), {}}, site).value());
    const bool ready =
        lab::eventually(20s, [&] { return lab->api_get("/readyz", site).has_value(); });
    INFO(daemons.back().log());
    REQUIRE(ready);
  }
  // 44 Mbit/s together: more than either link bears alone, and 73 % of both.
  for (const lab::Site site : {lab::Site::first, lab::Site::second})
    traffic.push_back(lab::Traffic::start(lab->client(site), lab->server(),
                                          {.server = *IpAddress::parse(kServers[traffic.size()]),
                                           .long_flows = 0,
                                           .new_flows_per_s = 55,
                                           .flow_kbytes = 50,
                                           .mbit = 22},
                                          origin)
                          .value());
  std::this_thread::sleep_for(40s);  // to settle
  const double settled = seconds(std::chrono::steady_clock::now().time_since_epoch());
  const auto sent_before = lab->relay().counters(lab->core_link(0)).forward.delivered.packets +
                           lab->relay().counters(lab->core_link(1)).forward.delivered.packets;
  const auto dropped_before = dropped(*lab);
  std::this_thread::sleep_for(30s);
  const auto sent = lab->relay().counters(lab->core_link(0)).forward.delivered.packets +
                    lab->relay().counters(lab->core_link(1)).forward.delivered.packets -
                    sent_before;
  const auto lost = dropped(*lab) - dropped_before;
  for (const lab::Site site : {lab::Site::first, lab::Site::second}) {
    const Json status = Json::parse(lab->api_get("/api/v1/status", site).value());
    INFO(daemons[site == lab::Site::first ? 0 : 1].log());
    // Neither hears of the other's load but by its queue: one correction is no oscillation.
    CHECK(turns(status, settled) <= 1);
  }
  // None on a quiet machine; equal shares drop a fifth, all on one link more.
  CHECK(static_cast<double>(lost) < 0.05 * static_cast<double>(sent));
  for (auto& flows : traffic) flows->stop();
}
