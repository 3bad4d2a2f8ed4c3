#include "test/lab/traffic.hpp"

#include "test/catch.hpp"

using namespace hopwise::lab;

TEST_CASE("long flows share what the short ones leave of the rate") {
  const TrafficPlan plan{
      .server = {}, .long_flows = 8, .new_flows_per_s = 40, .flow_kbytes = 50, .mbit = 60};
  CHECK(plan.long_flow_bytes_per_s() == Approx((7.5e6 - 2e6) / 8));
}
