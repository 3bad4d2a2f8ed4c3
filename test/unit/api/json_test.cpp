#include <nlohmann/json.hpp>

#include "core/api/server.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using nlohmann::json;
using namespace std::chrono_literals;

TEST_CASE("the status names nexthops and gives units in its keys") {
  const auto j = json::parse(api::to_json(example_status(), TimePoint(100s)));
  CHECK(j["ready"] == true);
  CHECK(j["not_ready_because"].is_null());
  CHECK(j["now_s"] == 100.0);
  CHECK(j["lease_remaining_s"] == 4.8);
  CHECK(j["interfaces"][0] == json{{"name", "eth0"}, {"role", "lan"}, {"attach", "tcx"}});

  const auto& a = j["nexthops"][0];
  CHECK(a["name"] == "isp-a");
  CHECK(a["gateway"] == "192.0.2.1");
  CHECK(a["state"] == "degraded");
  CHECK(a["rtt_ms"] == 120.5);
  CHECK(a["base_ms"] == 20.0);
  CHECK(a["newest_age_s"] == 0.5);
  CHECK(a["loss_ratio"] == 0.02);
  CHECK(a["probes"][0]["anchor"] == "203.0.113.1");
  CHECK(a["probes"][0]["last_error"].is_null());
  CHECK(j["nexthops"][1]["rtt_ms"].is_null());
  CHECK(j["nexthops"][1]["newest_age_s"].is_null());

  const auto& path = j["groups"][0]["paths"][1];
  CHECK(path["nexthop"] == "isp-b");
  CHECK(path["weight"] == 0.75);
  CHECK(path["forward_bytes"] == 1'500'000);
  CHECK(j["decisions_by_reason"]["path_degraded"] == 2);
  CHECK(j["packets_by_reason"]["steered"] == 123456);

  CHECK(j["dataplane_events"]["flow_new"] == 900);
  CHECK(j["actuator"] == "mark");
  CHECK(j["groups"][0]["affinity"] == "flowlet");

  const auto& decision = j["recent_decisions"].back();
  CHECK(decision["reason"] == "path_degraded");
  CHECK(decision["cause"] == "isp-a");
  CHECK(decision["age_s"] == 3.0);
  CHECK(decision["paths"][0]["after"] == 0.25);
}

TEST_CASE("what the traffic told stands with the path, and null where it told nothing") {
  const auto j = json::parse(api::to_json(example_status(), TimePoint(100s)));
  const auto& group = j["groups"][0];
  const auto& a = group["paths"][0];
  CHECK(a["segments"] == 800);
  CHECK(a["retransmitted"] == 20);
  CHECK(a["ecn_acks"] == 600);
  CHECK(a["ece_acks"] == 6);
  CHECK(a["escapes"] == 2);
  CHECK(a["passive"]["samples"] == 40);
  CHECK(a["passive"]["p50_ms"] == 30.0);
  CHECK(a["passive"]["by_method"]["handshake"] == 10);
  CHECK(group["paths"][1]["passive"].is_null());
  CHECK(group["control"]["forward_packets"] == 100);
  CHECK(group["control"]["passive"]["p90_ms"] == 30.0);

  Status status = example_status();
  status.groups[0].control_traffic.reset();
  CHECK(json::parse(api::to_json(status, TimePoint(100s)))["groups"][0]["control"].is_null());
}

TEST_CASE("a nexthop that is gone is still called something") {
  Status status = example_status();
  status.nexthops.clear();
  const auto j = json::parse(api::to_json(status, TimePoint(100s)));
  CHECK(j["recent_decisions"][0]["cause"] == "nexthop-1");
}

TEST_CASE("bytes that are no UTF-8 do not break the answer") {
  Status status = example_status();
  status.nexthops[0].nexthop.name = "isp-\xff";
  status.nexthops[0].estimate.loss = std::numeric_limits<double>::quiet_NaN();
  CHECK_NOTHROW(json::parse(api::to_json(status, TimePoint(100s))));
}

TEST_CASE("an explanation says what is not known by null") {
  const auto j = json::parse(api::to_json(example_explanation(), TimePoint(100s)));
  CHECK(j["summary"] == "Goes to isp-b: bucket 17 holds it.");
  CHECK(j["route"] == "203.0.113.0/24");
  CHECK(j["bucket"] == 17);
  CHECK(j["bucket_nexthop"] == "isp-b");
  CHECK(j["flow_nexthop"].is_null());
  CHECK(j["nexthop"] == "isp-b");
  CHECK(j["last_decision"]["reason"] == "path_degraded");

  const auto nothing = json::parse(api::to_json(Explanation{}, TimePoint(100s)));
  for (const char* key : {"route", "group", "bucket", "nexthop", "last_decision"})
    CHECK(nothing[key].is_null());
}
