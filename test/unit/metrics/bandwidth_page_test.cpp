// What the daemon knows of bandwidth, as metrics and as JSON.
#include "core/api/server.hpp"
#include "core/metrics/metrics.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

Status with_bandwidth() {
  Status status;
  status.nexthops.push_back(example_nexthop(1, "isp-a", "192.0.2.1", "wan0"));
  status.nexthops[0].bandwidth = {
      {BandwidthMethod::link, 1'000'000'000},
      {BandwidthMethod::passive_peak, 80'000'000, std::chrono::steady_clock::now() - 3s}};
  status.nexthops[0].trains = {{"measured", 4}, {"lost", 1}};
  status.nexthops[0].load = Load{40'000'000, 8'000'000, 0.04};
  return status;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("bandwidth and load of a nexthop are metrics", "[metrics][bandwidth]") {
  const metrics::Metrics metrics([] { return with_bandwidth(); });
  const std::string page = metrics.scrape();
  INFO(page);
  CHECK(has(page, "bandwidth_bytes_per_second{nexthop=\"isp-a\",method=\"link\",bound=\"exact\"}"));
  CHECK(has(page, "method=\"passive_peak\",bound=\"lower\"} 10000000"));
  CHECK(has(page, "load_bytes_per_second{nexthop=\"isp-a\",direction=\"forward\"} 5000000"));
  CHECK(has(page, "load_bytes_per_second{nexthop=\"isp-a\",direction=\"reverse\"} 1000000"));
  CHECK(has(page, "nexthop_utilisation_ratio{nexthop=\"isp-a\"} 0.04"));
  CHECK(has(page, "nexthop_trains_total{nexthop=\"isp-a\",result=\"measured\"} 4"));
}

TEST_CASE("bandwidth and load of a nexthop are in the status", "[api][bandwidth]") {
  const std::string json = api::to_json(with_bandwidth(), std::chrono::steady_clock::now());
  INFO(json);
  CHECK(has(json, "\"method\": \"link\""));
  CHECK(has(json, "\"bound\": \"lower\""));
  CHECK(has(json, "\"bit_s\": 80000000"));
  CHECK(has(json, "\"utilisation_ratio\": 0.04"));
  CHECK(has(json, "\"lost\": 1"));
}
