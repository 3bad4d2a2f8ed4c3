// Every query of the dashboard against a real Prometheus that scrapes the daemon while TCP flows
// pass.
#include <nlohmann/json.hpp>

#include "test/catch.hpp"
#include "test/e2e/router.hpp"
#include "test/lab/prometheus.hpp"

using namespace hopwise;
using namespace hopwise::e2e;

TEST_CASE("every query of the dashboard has data, with a control group and without", "[e2e]") {
  const double share = GENERATE(0.0, 0.3);
  lab::Topology topology = two_upstreams();
  topology.router = lab::Daemon::none;
  for (auto& upstream : topology.upstreams) upstream.daemon = lab::Daemon::none;
  Router router(topology);
  Json config = config_with_anchors(router.lab());
  config["dataplane"]["control_share"] = share;
  router.start(config);
  auto prometheus = lab::Prometheus::start(router.lab(), "127.0.0.1:9469");
  REQUIRE(prometheus.has_value());
  auto server = router.lab()
                    .start(router.lab().server(), {"iperf3", "-s", "-p", "5210"}, "iperf-server")
                    .value();
  const auto controlled = [&] { return router.packets("control") > 0; };
  std::string missing;
  CHECK(lab::eventually(60s, [&] {
    static_cast<void>(router.lab().client().run(
        {"iperf3", "-c", lab::kService4, "-p", "5210", "-t", "2", "-b", "5M", "-P", "8"}));
    const auto check = prometheus->answers(HOPWISE_DASHBOARDS "/hopwise-overview.json");
    missing = check.detail;
    return check.passed && controlled() == (share > 0);
  }));
  INFO(missing);
  CHECK(missing.find("no data") == std::string::npos);
}
