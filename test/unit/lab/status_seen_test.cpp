#include "test/lab/status_seen.hpp"

#include "core/api/server.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::lab;
using namespace std::chrono_literals;

namespace {

const std::vector<std::string> kUpstreams{"isp-a", "isp-b"};

/// What the API itself writes of two nexthops in one group, and one decision.
std::string api_text() {
  Status status;
  status.ready = true;
  for (std::uint32_t id : {1, 2}) {
    NexthopStatus nexthop;
    nexthop.nexthop.id = NexthopId{id};
    nexthop.nexthop.name = nexthop_name(kUpstreams[id - 1], Family::v6);
    nexthop.state = PathState::degraded;
    if (id == 1) nexthop.estimate.rtt = 20ms;
    status.nexthops.push_back(nexthop);
  }
  GroupStatus group{.id = GroupId{3}, .routes = 1, .paths = {}};
  group.paths.push_back({.path = {PathId{1}, NexthopId{1}}, .weight = 0.25, .traffic = {}});
  status.groups.push_back(group);
  Decision decision;
  decision.group = GroupId{3};
  decision.at = TimePoint{} + 105s;
  decision.reason = Reason::path_degraded;
  decision.cause = NexthopId{1};
  decision.evidence = "rtt_ms=120";
  decision.paths = {{.path = PathId{2}, .nexthop = NexthopId{2}, .before = 0.5, .after = 0.9},
                    {.path = PathId{1}, .nexthop = NexthopId{1}, .before = 0.5, .after = 0.1}};
  status.recent_decisions.push_back(decision);
  return api::to_json(status, TimePoint{} + 110s);
}

}  // namespace

TEST_CASE("the demo understands what the API writes") {
  const auto seen = parse_status(api_text(), kUpstreams);
  REQUIRE(seen.has_value());
  CHECK(seen->ready);
  const auto& nexthop = seen->nexthops.at("isp-a-v6");
  CHECK(nexthop.state == "degraded");
  CHECK(nexthop.rtt_ms == 20.0);
  CHECK(nexthop.weight == 0.25);
  CHECK_FALSE(seen->nexthops.at("isp-b-v6").rtt_ms.has_value());
  REQUIRE(seen->decisions.size() == 1);
  CHECK(seen->decisions[0].reason == "path_degraded");
  CHECK(seen->decisions[0].cause == "isp-a-v6");
  REQUIRE(seen->decisions[0].shares.size() == 2);
  CHECK(seen->decisions[0].shares[0].upstream == 0);
  CHECK(seen->decisions[0].shares[0].after == 0.1);
}

TEST_CASE("a decision that is told again and again is kept once") {
  const auto seen = parse_status(api_text(), kUpstreams);
  REQUIRE(seen.has_value());
  std::vector<DecisionSeen> decisions;
  CHECK(append_new(*seen, 100, decisions) == 1);
  CHECK(append_new(*seen, 100, decisions) == 0);
  REQUIRE(decisions.size() == 1);
  CHECK(decisions[0].at == Approx(5));
}

TEST_CASE("what is no status is an error, not a crash") {
  CHECK_FALSE(parse_status("{}", kUpstreams).has_value());
  CHECK_FALSE(parse_status("no JSON", kUpstreams).has_value());
}
