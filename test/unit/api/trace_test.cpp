#include <nlohmann/json.hpp>

#include "core/api/answer.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::api;
using namespace std::chrono_literals;

namespace {

Trace example() {
  Trace trace;
  trace.id = 7;
  trace.nexthop = NexthopId{2};
  trace.nexthop_name = "isp-b";
  trace.destination = *IpAddress::parse("203.0.113.9");
  trace.because = "path_down";
  trace.started = TimePoint(90s);
  trace.ended = true;
  trace.verdict = "10.0.0.1 (hop 1) says !N";
  TraceHop hop{.distance = 1, .sent = 4};
  hop.answers.push_back({*IpAddress::parse("10.0.0.1"), 3, 1ms, 2ms, 3500us, "!N"});
  trace.hops = {hop};
  return trace;
}

std::optional<TraceOrder> ordered;

Answer ask(std::string_view method, std::string_view target, bool local = true) {
  Handlers handlers;
  handlers.trace = [](const TraceOrder& order) -> Result<std::uint64_t> {
    ordered = order;
    if (order.nexthop == "isp-x") return Error{"there is no nexthop \"isp-x\""};
    return std::uint64_t{8};
  };
  handlers.traces = [] { return std::vector{example()}; };
  return answer({method, target, local}, handlers);
}

}  // namespace

TEST_CASE("a trace is told with every key, in one order", "[trace]") {
  CHECK(to_json(example(), TimePoint(100s)) ==
        R"({"id":7,"nexthop":"isp-b","nexthop_id":2,"destination":"203.0.113.9",)"
        R"("because":"path_down","age_s":10.0,"ended":true,"reached":false,"error":null,)"
        R"("verdict":"10.0.0.1 (hop 1) says !N","hops":[{"distance":1,"sent":4,"answered":3,)"
        R"("loss_ratio":0.25,"answers":[{"from":"10.0.0.1","count":3,"least_ms":1.0,)"
        R"("mean_ms":2.0,"most_ms":3.5,"note":"!N"}]}]})"
        "\n");
  Trace begun;
  begun.id = 1;
  const auto json = nlohmann::json::parse(to_json(std::vector{example(), begun}));
  CHECK(json["traces"].size() == 2);
  CHECK(json["traces"][1]["verdict"].is_null());
}

TEST_CASE("traces are listed, and one is shown by its number", "[trace]") {
  CHECK(nlohmann::json::parse(ask("GET", "/api/v1/traces", false).body)["traces"][0]["id"] == 7);
  CHECK(nlohmann::json::parse(ask("GET", "/api/v1/traces?id=7").body)["nexthop"] == "isp-b");
  CHECK(ask("GET", "/api/v1/traces?id=8").status == 404);
  CHECK(ask("GET", "/api/v1/traces?nexthop=isp-b").status == 400);
  CHECK(ask("DELETE", "/api/v1/traces").allow == "GET, HEAD, POST");
}

TEST_CASE("a trace is begun over the unix socket only", "[trace]") {
  const auto target = "/api/v1/traces?nexthop=isp-b&dst=2001:db8::9&probes=5&hops=12";
  CHECK(ask("POST", target, false).status == 403);
  ordered.reset();
  const Answer begun = ask("POST", target);
  CHECK(begun.status == 202);
  CHECK(begun.body == "{\"id\":8}\n");
  REQUIRE(ordered);
  CHECK(ordered->nexthop == "isp-b");
  CHECK(ordered->destination.text() == "2001:db8::9");
  CHECK(ordered->probes == 5);
  CHECK(ordered->max_hops == 12);
  REQUIRE(ask("POST", "/api/v1/traces?nexthop=1&dst=192.0.2.1").status == 202);
  CHECK(ordered->probes == 3);
  CHECK(ordered->max_hops == 30);
}

TEST_CASE("a trace that cannot be begun says why", "[trace]") {
  for (const auto& [query, named] :
       {std::pair<std::string, std::string>{"dst=192.0.2.1", "nexthop"},
        {"nexthop=&dst=192.0.2.1", "nexthop"},
        {"nexthop=1", "dst"},
        {"nexthop=1&dst=x", "dst"},
        {"nexthop=1&dst=192.0.2.1&probes=0", "probes"},
        {"nexthop=1&dst=192.0.2.1&probes=21", "probes"},
        {"nexthop=1&dst=192.0.2.1&hops=65", "hops"},
        {"nexthop=1&dst=192.0.2.1&hops=300", "hops"},
        {"nexthop=1&dst=192.0.2.1&src=192.0.2.2", "src"},
        {"nexthop=1&dst=192.0.2.1&hop", "hop"}}) {
    const Answer refused = ask("POST", "/api/v1/traces?" + query);
    INFO(query);
    CHECK(refused.status == 400);
    CHECK(refused.body.find(named) != std::string::npos);
  }
  CHECK(ask("POST", "/api/v1/traces?nexthop=isp-x&dst=192.0.2.1").status == 422);
}
