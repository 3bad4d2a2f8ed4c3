#include "core/cli/render.hpp"

#include "core/api/server.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

std::string rendered(const Status& status) {
  const auto text = cli::render_status(api::to_json(status, TimePoint(100s)));
  if (!text) FAIL(text.error().message);
  return *text;
}

std::string rendered(const Explanation& explanation) {
  const auto text = cli::render_explanation(api::to_json(explanation, TimePoint(100s)));
  if (!text) FAIL(text.error().message);
  return *text;
}

}  // namespace

TEST_CASE("the status reads as tables") {
  CHECK(rendered(example_status()) ==
        R"(hopwise 0.1.0, up 1 h 02 min: ready, steering by mark, lease 4.8 s
12 routes steered, 3 left to the kernel

INTERFACE  ROLE  ATTACHED BY
eth0       lan   tcx
eth1       wan   tcx
eth2       wan   clsact

NEXTHOP  GATEWAY       INTERFACE  STATE            RTT      BASE   JITTER   LOSS  AT MOST    USED  NOTE
isp-a    192.0.2.1     eth1       degraded   120.50 ms  20.00 ms  2.00 ms  2.0 %    3.4 %  90.0 %
isp-b    198.51.100.1  eth2       probation          -         -        -      -        -       -  no reply yet

PROBES: 4 probers, 45.2/s, 1500 sent, 98.2 % answered, 30 lost, 20 void, 1 unbound, the budget leaves 45.2/s of 60.0/s, staged, 2 stalls of this host, 1 overflows, 5 unknown replies
  isp-a https://203.0.113.3:443: connect to 203.0.113.3: Connection refused

GROUP 1 "internet" of 12 routes, balanced, 1.20 ms faster than routing (0.50 to 1.90)
PATH    SHARE                          BUCKETS   COST         OUT              BACK          PASSIVE RTT  SENT AGAIN  NOTE
isp-a  25.0 %  [#####...............]      256  1.500  1.00 k pkt   500 kB  900 pkt  400 kB     30.00 ms       2.5 %  2 escapes
isp-b  75.0 %  [###############.....]      768  0.500  3.00 k pkt  1.50 MB    0 pkt     0 B            -           -

PACKETS
steered                  123456
to the kernel: no_route       7

  DECIDED  GROUP  REASON         CAUSE  SHARES                                          EVIDENCE
3.0 s ago      1  path_degraded  isp-a  isp-a 50.0 % -> 25.0 %, isp-b 50.0 % -> 75.0 %  rtt_ms=120.5 base_ms=20.0
)");
}

TEST_CASE("a daemon that is not ready says why in the first line") {
  Status status = example_status();
  status.ready = false;
  status.not_ready_because = "the lease is over";
  status.steering = false;
  const std::string page = rendered(status);
  const std::string first = page.substr(0, page.find('\n'));
  CHECK(first.find("NOT READY: the lease is over") != std::string::npos);
  CHECK(first.find("observing only") != std::string::npos);
}

TEST_CASE("a daemon that knows nothing yet is rendered all the same") {
  const std::string page = rendered(Status{});
  CHECK(page.find("no nexthops") != std::string::npos);
  CHECK(page.find("no decision yet") != std::string::npos);
}

TEST_CASE("a nexthop that cannot carry traffic says why") {
  Status status = example_status();
  status.nexthops[0].link_up = false;
  status.nexthops[1].neighbour_resolved = false;
  const std::string page = rendered(status);
  CHECK(page.find("link down") != std::string::npos);
  CHECK(page.find("gateway does not resolve") != std::string::npos);
}

TEST_CASE("only the newest decisions are shown, newest first") {
  Status status = example_status();
  for (int i = 0; i < 30; ++i) {
    Decision decision = example_decision();
    decision.evidence = "number=" + std::to_string(i);
    status.recent_decisions.push_back(decision);
  }
  const std::string page = rendered(status);
  CHECK(page.find("number=29") < page.find("number=28"));
  CHECK(page.find("number=20\n") == std::string::npos);
}

TEST_CASE("a group's mode stands in its line, and what is not known stands nowhere") {
  Status status = example_status();
  GroupStatus& group = status.groups[0];
  group.name.reset();
  group.traffic_class = "voice";
  group.destination = "203.0.113.0/24";
  group.law->dry_run = group.law->reverted = true;
  group.law->proof->gain_ms = -1.2;
  CHECK(
      rendered(status).find("\nGROUP 1 of 12 routes, class voice, to 203.0.113.0/24, balanced, DRY "
                            "RUN, REVERTED to routing's own weights, 1.20 ms slower than routing "
                            "(0.50 to 1.90)\n") != std::string::npos);
  group.law.reset();
  for (NexthopStatus& nexthop : status.nexthops) nexthop.carrier.reset();
  const std::string page = rendered(status);
  CHECK(page.find("to 203.0.113.0/24\n") != std::string::npos);
  CHECK(page.find("USED") == std::string::npos);
}

TEST_CASE("a history that is not written says so in the status") {
  Status status = example_status();
  status.history.trouble = "write /x: No space left on device";
  CHECK(rendered(status).find("history not written: write /x: No space left on device") !=
        std::string::npos);
}

TEST_CASE("an explanation begins with its sentence") {
  CHECK(rendered(example_explanation()) == R"(Goes to isp-b: bucket 17 holds it.

route   203.0.113.0/24
group   1
bucket  17, held by isp-b
flow    not seen yet: its first packet follows the bucket
next    isp-b

NEXTHOP  GATEWAY       INTERFACE  STATE            RTT      BASE   JITTER   LOSS  AT MOST    USED  NOTE
isp-a    192.0.2.1     eth1       degraded   120.50 ms  20.00 ms  2.00 ms  2.0 %    3.4 %  90.0 %
isp-b    198.51.100.1  eth2       probation          -         -        -      -        -       -  no reply yet

PATH    SHARE                          BUCKETS   COST         OUT              BACK          PASSIVE RTT  SENT AGAIN  NOTE
isp-a  25.0 %  [#####...............]      256  1.500  1.00 k pkt   500 kB  900 pkt  400 kB     30.00 ms       2.5 %  2 escapes
isp-b  75.0 %  [###############.....]      768  0.500  3.00 k pkt  1.50 MB    0 pkt     0 B            -           -

  DECIDED  GROUP  REASON         CAUSE  SHARES                                          EVIDENCE
3.0 s ago      1  path_degraded  isp-a  isp-a 50.0 % -> 25.0 %, isp-b 50.0 % -> 75.0 %  rtt_ms=120.5 base_ms=20.0
)");
}

TEST_CASE("a flow of its own is told with what it carried") {
  Explanation explanation = example_explanation();
  explanation.placement.flow_nexthop = NexthopId{1};
  explanation.placement.flow_packets = 12345;
  explanation.placement.flow_bytes = 9'999'999;
  CHECK(rendered(explanation).find("flow    sticks to isp-a (12.3 k packets, 10.0 MB so far)") !=
        std::string::npos);
}

TEST_CASE("what was seen of a flow stands below where it goes") {
  Explanation explanation = example_explanation();
  explanation.placement.flow_nexthop = NexthopId{1};
  explanation.placement.flow_packets = 10;
  explanation.placement.flow_bytes = 1000;
  FlowRecord& record = explanation.placement.record.emplace();
  record.nexthop = NexthopId{1};
  record.answered = true;
  record.age = 90s;
  record.idle = 500ms;
  record.moved = Duration(3s);
  record.reverse_packets = 20;
  record.reverse_bytes = 30'000;
  record.rtt = Duration(23'100us);
  record.segments = 8;
  record.retransmitted = 2;
  record.escapes = 1;
  CHECK(rendered(explanation).find(R"(
flow    sticks to isp-a (10 packets, 1.00 kB so far)
        90.0 s old, idle for 0.5 s, 20 pkt 30.0 kB back, RTT 23.10 ms, sent again 2 (25.0 %) of its segments, moved 3.0 s ago, escaped 1 time
)") != std::string::npos);

  record.control = true;
  explanation.placement.flow_nexthop.reset();
  CHECK(rendered(explanation).find("flow    of the control group: the kernel routes it\n") !=
        std::string::npos);
}

TEST_CASE("a destination without a group is told in two lines") {
  Explanation explanation;
  explanation.summary =
      "No route that hopwise knows covers this destination: the kernel forwards it.";
  CHECK(rendered(explanation) == explanation.summary + "\n\nroute   -\n");
}

TEST_CASE("an answer of another shape is an error that suggests -j") {
  for (const char* answer :
       {"", "{}", "[]", "null", "not JSON", "{\"ready\": 1, \"version\": 2}"}) {
    CAPTURE(answer);
    for (const auto& result : {cli::render_status(answer), cli::render_explanation(answer)}) {
      REQUIRE(result.has_error());
      CHECK(result.error().message.find("-j shows") != std::string::npos);
    }
  }
}
