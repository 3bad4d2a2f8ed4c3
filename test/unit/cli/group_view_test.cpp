#include "core/cli/group_view.hpp"

#include "core/api/event_json.hpp"
#include "core/api/law_json.hpp"
#include "test/catch.hpp"
#include "test/unit/api/example.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

std::string name_of(NexthopId id) {
  return raw(id) == 1 ? "isp-a" : "isp-b";
}

WallTime noon() {
  return WallTime(std::chrono::sys_days{std::chrono::year(2026) / 11 / 22}) + 12h;
}

std::vector<EventRecord> example_events() {
  Decision decision = example_decision();
  decision.paths[0].predicted.rtt_ms = 110;
  decision.paths[1].predicted.rtt_ms = 15.25;
  Effect effect;
  effect.group = GroupId{1};
  effect.after_ms = 40.5;
  const Event first{11, noon(), TimePoint(97s), EventKind::decision, decision};
  const Event second{12, noon() + 20s, TimePoint(117s), EventKind::effect,
                     EffectOf{effect, 11, Reason::path_degraded}};
  return {api::record_of(first, name_of), api::record_of(second, name_of)};
}

std::string rendered(const Status& status, const std::vector<EventRecord>& events) {
  const auto text = cli::render_group(api::group_json(status, status.groups[0], events));
  if (!text) FAIL(text.error().message);
  return *text;
}

}  // namespace

TEST_CASE("a group is explained: the law, every cost by term, capacity, decisions", "[explain]") {
  CHECK(rendered(example_status(), example_events()) ==
        R"(GROUP 1 "internet" of 12 routes
  policy      balanced
  mode        steering
  held        no
  demand      120 Mbit/s
  loop        gain 0.050, stable up to 0.250: at 20.0 % of that
  proof       1.20 ms faster than by routing alone (95 %: 0.50 to 1.90 ms, of 4000 samples)

PATH    SHARE  WANTED  AT MOST  STATE       COST  = DELAY  + QUEUE  + LOSS  + LOAD
isp-a  25.0 %  50.0 %   25.0 %  degraded   1.500    0.900    0.400   0.100   0.100
isp-b  75.0 %  50.0 %        -  probation  0.500    0.500        -       -       -

PATH   PREDICTED RTT         LOAD    USED  RTT BY PROBES  BY TRAFFIC  APART BY  SENT AGAIN  OWN TRAFFIC
isp-a      110.00 ms  90.0 Mbit/s  90.0 %      120.50 ms   101.00 ms  19.50 ms       2.5 %  30.0 Mbit/s
isp-b       15.25 ms            -       -              -           -         -           -            -

PATH     CAPACITY  FROM       LOAD NOW  USED NOW  95TH PERCENTILE       COMMIT  PRICE
isp-a  100 Mbit/s  learnt  90.0 Mbit/s    90.0 %      42.5 Mbit/s  50.0 Mbit/s  0.200
isp-b           -  -                 -         -                -            -      -

DECIDED              EVENT  REASON         CAUSE  SHARES                                PREDICTED  REALISED  EVIDENCE
2026-11-22 12:00:00  #11    path_degraded  isp-a  isp-a 50.0>25.0 %, isp-b 50.0>75.0 %   38.94 ms  40.50 ms  rtt_ms=120.5 base_ms=20.0
Times are UTC.
)");
}

TEST_CASE("of a group of which little is known little is said", "[explain]") {
  Status status = example_status();
  GroupStatus& group = status.groups[0];
  group.name.reset();
  GroupLawView& law = *group.law;
  law.demand_bit_s.reset();
  law.proof.reset();
  law.gain = law.gain_stable = 0;
  law.held = "every path is as bad";
  law.dry_run = true;
  for (PathLaw& path : law.paths) {
    path.terms = {};
    path.predicted = {};
    path.active_ms = path.passive_ms = path.disagreement_ms = path.retransmitted = path.own_bit_s =
        std::nullopt;
    path.limit = 1;
  }
  law.paths[1].usable = false;
  for (NexthopStatus& nexthop : status.nexthops) nexthop.carrier.reset();
  CHECK(rendered(status, {}) == R"(GROUP 1 of 12 routes
  policy      balanced
  mode        dry run: decided and explained, not installed
  held        every path is as bad
  demand      not known yet
  proof       not known yet (it takes a control group, dataplane.control_share)

PATH    SHARE  WANTED  STATE       COST  NOTE
isp-a  25.0 %  50.0 %  degraded   0.000  -
isp-b  75.0 %  50.0 %  probation  0.000  not usable

no decision yet
)");
  group.law.reset();
  CHECK(rendered(status, {}) == "GROUP 1 of 12 routes\n  the law knows nothing of it yet\n");
}

TEST_CASE("an answer of another version is an error, not a guess", "[explain]") {
  CHECK(cli::render_group("{}").has_error());
  CHECK(cli::render_group("no JSON").has_error());
}
