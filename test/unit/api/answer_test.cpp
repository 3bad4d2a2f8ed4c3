#include "core/api/answer.hpp"

#include <stdexcept>

#include "core/api/client.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::api;

namespace {

FlowTuple asked;
RecordOrder ordered;
bool reloaded = false;

Handlers handlers() {
  return {.metrics = [] { return std::string("hopwise_up 1\n"); },
          .status =
              [] {
                Status status;
                status.ready = false;
                status.not_ready_because = "no multipath route to steer";
                return status;
              },
          .explain = [](const FlowTuple& flow) -> Result<Explanation> {
            asked = flow;
            Explanation explanation;
            explanation.summary = "Goes to isp-a.";
            return explanation;
          },
          .reload = []() -> Result<> {
            reloaded = true;
            return {};
          },
          .record = [](const RecordOrder& order) -> Result<> {
            ordered = order;
            if (order.file == "/there") return Error{"record to /there: File exists"};
            return {};
          },
          .end_record = []() -> Result<> { return {}; },
          .record_status =
              [] {
                return RecordStatus{true, "/tmp/a \"b\".rec", 1.5, 42, ""};
              }};
}

Answer get(std::string_view target) {
  return answer({"GET", target, false}, handlers());
}

}  // namespace

TEST_CASE("each page answers with its own type") {
  CHECK(get("/metrics").body == "hopwise_up 1\n");
  CHECK(get("/metrics").type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(get("/healthz").body == "ok\n");
  CHECK(get("/api/v1/status").type == "application/json");
  CHECK(get("/readyz").status == 503);
  CHECK(get("/readyz").body == "not ready: no multipath route to steer\n");
}

TEST_CASE("what is not there, and what is not allowed, says so in JSON") {
  CHECK(get("/").status == 404);
  CHECK(get("/metrics/x").status == 404);
  CHECK(get("").status == 404);
  CHECK(get("/nothing").body.starts_with("{\"error\":\""));
  const Answer refused = answer({"DELETE", "/api/v1/status", true}, handlers());
  CHECK(refused.status == 405);
  CHECK(refused.allow == "GET, HEAD");
  CHECK(answer({"GET", "/api/v1/reload", true}, handlers()).allow == "POST");
}

TEST_CASE("explain reads its flow from the query") {
  CHECK(
      get("/api/v1/explain?src=10.0.0.2&dst=203.0.113.9&proto=udp&sport=40000&dport=443").status ==
      200);
  CHECK(asked.source.text() == "10.0.0.2");
  CHECK(asked.destination.text() == "203.0.113.9");
  CHECK(asked.protocol == 17);
  CHECK(asked.source_port == 40000);
  CHECK(asked.destination_port == 443);
  CHECK(get("/api/v1/explain?src=2001%3Adb8::1&dst=2001:db8::2&proto=icmp").status == 200);
  CHECK(get("/api/v1/explain?src=2001%3Adb8::1&dst=2001:db8::2&proto=icmpv6").status == 200);
  CHECK(asked.source.text() == "2001:db8::1");
  CHECK(asked.protocol == 58);
}

TEST_CASE("a wrong parameter is a 400 that names it") {
  const std::string good = "src=10.0.0.2&dst=203.0.113.9";
  for (const auto& [query, named] : {std::pair<std::string, std::string>{"dst=203.0.113.9", "src"},
                                     {"src=10.0.0.2", "dst"},
                                     {"src=10.0.0.2&dst=2001:db8::1", "families"},
                                     {"src=x&dst=203.0.113.9", "src"},
                                     {good + "&sport=65536", "sport"},
                                     {good + "&dport=-1", "dport"},
                                     {good + "&proto=sctpp", "proto"},
                                     {good + "&dts=1", "dts"},
                                     {good + "&src=10.0.0.2", "twice"},
                                     {good + "&proto=%zz", "proto"},
                                     {good + "&proto=%4", "proto"},
                                     {"", "src"}}) {
    CAPTURE(query);
    const Answer refused = get("/api/v1/explain?" + query);
    CHECK(refused.status == 400);
    CHECK(refused.body.find(named) != std::string::npos);
  }
}

TEST_CASE("reload is for the unix socket alone") {
  reloaded = false;
  CHECK(answer({"POST", "/api/v1/reload", false}, handlers()).status == 403);
  CHECK(!reloaded);
  CHECK(answer({"POST", "/api/v1/reload", true}, handlers()).status == 200);
  CHECK(reloaded);
}

TEST_CASE("a refused configuration is a 422 with the faults") {
  Handlers h = handlers();
  h.reload = []() -> Result<> { return Error{"f:1:2: probe: unknown key"}; };
  const Answer refused = answer({"POST", "/api/v1/reload", true}, h);
  CHECK(refused.status == 422);
  CHECK(refused.body == "{\"error\":\"f:1:2: probe: unknown key\"}\n");
}

TEST_CASE("what a handler throws ends as a 500") {
  Handlers h = handlers();
  h.status = []() -> Status { throw std::runtime_error("broken \xff invariant"); };
  CHECK(answer({"GET", "/api/v1/status", false}, h).status == 500);
  CHECK(answer({"GET", "/readyz", false}, h).status == 500);
}

TEST_CASE("recordings are begun and ended on the unix socket alone", "[api][recording]") {
  const auto local = [](std::string_view method, std::string_view target) {
    return answer({method, target, true}, handlers());
  };
  CHECK(answer({"POST", "/api/v1/record?file=/a", false}, handlers()).status == 403);
  CHECK(answer({"DELETE", "/api/v1/record", false}, handlers()).status == 403);
  CHECK(get("/api/v1/record").body ==
        "{\"recording\":true,\"file\":\"/tmp/a \\\"b\\\".rec\",\"seconds\":1.5,\"bytes\":42,"
        "\"ended\":null}\n");
  CHECK(local("POST", "/api/v1/record?file=/tmp/x%20y&seconds=60&bytes=1000").status == 202);
  CHECK(ordered.file == "/tmp/x y");
  CHECK(ordered.duration == Duration(std::chrono::seconds(60)));
  CHECK(ordered.max_bytes == 1000);
  CHECK(local("POST", "/api/v1/record?file=/tmp/x").status == 202);
  CHECK_FALSE(ordered.duration.has_value());
  CHECK(local("DELETE", "/api/v1/record").status == 200);
  CHECK(local("POST", "/api/v1/record?file=/there").status == 422);
  for (const char* query : {"", "?file=", "?file=relative", "?file=/a%00b", "?file=/a&seconds=0",
                            "?file=/a&seconds=x", "?file=/a&bytes=0", "?file=/a&size=1"}) {
    INFO(query);
    CHECK(local("POST", std::string("/api/v1/record") + query).status == 400);
  }
  CHECK(local("PUT", "/api/v1/record").allow == "GET, HEAD, POST, DELETE");
}

TEST_CASE("a value of a request comes through whatever is in it", "[api]") {
  const std::string name = "a&b=c%20 d+#?";
  const auto answer = get("/api/v1/groups?id=" + encoded_value(name));
  CHECK(answer.status == 404);
  CHECK_THAT(answer.body, Catch::Contains(name));
}
