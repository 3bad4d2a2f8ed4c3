// The control law's figures on the metrics page.
#include "core/metrics/metrics.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;

namespace {

std::string page_of(const Status& status) {
  return metrics::Metrics([&] { return status; }).scrape();
}

bool has_line(const std::string& page, const std::string& line) {
  return ('\n' + page).find("\nhopwise_" + line + '\n') != std::string::npos;
}

}  // namespace

TEST_CASE("the law's figures are series of groups, paths and nexthops, in base units") {
  const std::string page = page_of(example_status());
  const std::string a = "group=\"1\",nexthop=\"isp-a\"";
  CHECK(has_line(page, "path_cost_term{" + a + ",term=\"queue\"} 0.4"));
  CHECK(has_line(page, "path_cost_term{" + a + ",term=\"preference\"} 0"));
  CHECK(has_line(page, "path_predicted_rtt_seconds{" + a + "} 0.11"));
  CHECK(has_line(page, "path_predicted_utilisation_ratio{" + a + "} 0.9"));
  CHECK(has_line(page, "path_disagreement_seconds{" + a + "} 0.0195"));
  CHECK(has_line(page, "group_demand_bytes_per_second{group=\"1\"} 15000000"));
  CHECK(has_line(page, "group_loop_gain_ratio{group=\"1\"} 0.2"));
  CHECK(has_line(page, "group_gain_seconds{group=\"1\",bound=\"lower\"} 0.0005"));
  CHECK(has_line(page, "group_gain_seconds{group=\"1\",bound=\"upper\"} 0.0019"));
  CHECK(has_line(page, "group_reverted{group=\"1\"} 0"));
  CHECK(has_line(page, "group_dry_run{group=\"1\"} 0"));
  CHECK(has_line(page, "group_objective_unmet{group=\"1\"} 0"));
  CHECK(has_line(page,
                 "group_info{group=\"1\",name=\"internet\",policy=\"balanced\",class=\"\","
                 "destination=\"\"} 1"));
  CHECK(has_line(
      page, "nexthop_capacity_bytes_per_second{nexthop=\"isp-a\",source=\"learnt\"} 12500000"));
  CHECK(has_line(page, "nexthop_capacity_used_ratio{nexthop=\"isp-a\"} 0.9"));
  CHECK(has_line(page, "nexthop_percentile_bytes_per_second{nexthop=\"isp-a\"} 5312500"));
  CHECK(has_line(page, "nexthop_commit_bytes_per_second{nexthop=\"isp-a\"} 6250000"));
  CHECK(has_line(page, "nexthop_price{nexthop=\"isp-a\"} 0.2"));
  CHECK(has_line(page, "history_events_total 12"));
  CHECK(has_line(page, "history_corrupt_total 1"));
}

TEST_CASE("objectives are unmet where usable paths all break them, and only then") {
  Status status = example_status();
  auto& paths = status.groups[0].law->paths;
  paths[0].meets_objectives = false;
  CHECK(has_line(page_of(status), "group_objective_unmet{group=\"1\"} 0"));
  paths[1].usable = false;
  CHECK(has_line(page_of(status), "group_objective_unmet{group=\"1\"} 1"));
  paths[0].usable = false;
  CHECK(has_line(page_of(status), "group_objective_unmet{group=\"1\"} 0"));
}

TEST_CASE("of the law what is not known has no series") {
  Status status = example_status();
  status.groups[0].law.reset();
  status.nexthops[0].carrier.reset();
  const std::string page = page_of(status);
  for (const char* family : {"hopwise_group_gain", "hopwise_path_cost_term",
                             "hopwise_group_reverted", "hopwise_nexthop_capacity_bytes"})
    CHECK(page.find(family) == std::string::npos);
}
