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

TEST_CASE("each prober tells all that it knows, and null what it does not") {
  const auto j = json::parse(api::to_json(example_status(), TimePoint(100s)));
  const auto& probes = j["nexthops"][0]["probes"];
  REQUIRE(probes.size() == 3);
  const auto& echo = probes[0];
  CHECK(echo["kind"] == "icmp");
  CHECK(echo["state"] == "suspicious");
  CHECK(echo["suspicious"] == true);
  CHECK(echo["blamed"] == false);
  CHECK(echo["rate_per_s"] == 20.0);
  CHECK(echo["proved"] == 498);
  CHECK(echo["voids"] ==
        json{{"not_left", 3}, {"strayed", 0}, {"overflow", 0}, {"neighbour", 7}, {"rules", 0}});
  CHECK(echo["kernel_stamped"] == 490);
  CHECK(echo["rtt_ms"] == 20.0);
  CHECK(echo["spread_ms"] == 3.5);
  REQUIRE(echo["flows"].size() == 3);
  CHECK(echo["flows"][1] == json{{"sent", 125}, {"lost", 8}, {"rtt_ms", 23.5}});
  CHECK(echo["flows"][2]["rtt_ms"].is_null());
  for (const char* key : {"lost_by_direction", "forward_ms", "reverse_ms", "first_byte_ms"})
    CHECK(echo[key].is_null());

  const auto& stamp = probes[1];
  CHECK(stamp["anchor"] == "stamp://203.0.113.2:862");
  CHECK(stamp["lost_by_direction"] == json{{"forward", 9}, {"reverse", 1}});
  CHECK(stamp["forward_ms"] == 12.0);
  CHECK(stamp["reverse_ms"] == 8.0);
  CHECK(stamp["forged"] == 4);
  const auto& web = probes[2];
  CHECK(web["state"] == "unbound");
  CHECK(web["suspicious"] == false);
  CHECK(web["first_byte_ms"] == 45.0);
  CHECK(web["flows"].empty());
  CHECK(web["spread_ms"].is_null());
  CHECK(web["last_error"] == "connect to 203.0.113.3: Connection refused");

  CHECK(j["probing"] == json{{"wanted_per_s", 60.0},
                             {"rate_per_s", 45.2},
                             {"stalls", 2},
                             {"overflows", 1},
                             {"unknown_replies", 5},
                             {"staged", true},
                             {"staged_packets", {{"sent", 900}, {"too_big", 3}}},
                             {"budget_per_s", 20000.0}});
}

TEST_CASE("bandwidth comes with its method, and whether it is a bound") {
  const auto j = json::parse(api::to_json(example_status(), TimePoint(100s)));
  const auto& bandwidth = j["nexthops"][0]["bandwidth"];
  REQUIRE(bandwidth.size() == 2);
  CHECK(bandwidth[0]["method"] == "link");
  CHECK(bandwidth[0]["bound"] == "exact");
  CHECK(bandwidth[0]["bit_s"] == 1'000'000'000);
  CHECK(bandwidth[0]["age_s"].is_null());
  CHECK(bandwidth[1]["bound"] == "lower");
  CHECK(bandwidth[1]["age_s"] == 10.0);
  CHECK(j["nexthops"][0]["shift_ms"] == 15.0);
  CHECK(j["nexthops"][1]["shift_ms"].is_null());
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
