// A scenario: upstreams, traffic and what happens to them when, read from a JSON file.
//
//   { "name": "brownout", "duration_s": 40, "families": [4], "wan": "separate",
//     "upstreams": [ {"name": "isp-a", "daemon": "frr", "delay_ms": 10, "jitter_ms": 0.5, "loss":
//     0,
//                     "rate_mbit": 200, "queue_ms": 50}, ... ],
//     "traffic": {"long_flows": 8, "new_flows_per_s": 40, "flow_kbytes": 50, "mbit": 60},
//     "events": [ {"at_s": 12, "upstream": "isp-a", "set": {"delay_ms": 60}},
//                 {"at_s": 32, "upstream": "isp-a", "restore": true} ],
//     "hopwise": { } }
//
// Two to eight upstreams. "told_mbit" of an upstream: the capacity that hopwise is told. Delay is
// one way, in each direction; loss is of both directions, each. `hopwise` is configuration laid
// over the lab's own (RFC 7396). Every mistake in the file is reported with its line and column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/model/result.hpp"
#include "test/lab/lab.hpp"

namespace hopwise::lab {

struct TrafficSpec {
  int long_flows = 8;
  double new_flows_per_s = 40;
  int flow_kbytes = 50;
  double mbit = 60;
};

struct ScenarioEvent {
  double at_s = 0;
  std::size_t upstream = 0;
  Impairment impairment;  // from then on
  std::string what;       // "delay_ms=60", "restore"
};

struct Scenario {
  std::string name;
  double duration_s = 40;
  std::vector<Family> families = {Family::v4};
  Topology topology;
  TrafficSpec traffic;
  std::vector<ScenarioEvent> events;  // by time
  std::string hopwise = "{}";         // JSON object
};

/// `file` is named in errors, one line for each: "brownout.json:3:18: upstreams[0].delay_ms: ...".
Result<Scenario> parse_scenario(std::string_view text, const std::string& file);

/// Reads FILE, or test/lab/scenarios/NAME.json for a name without a slash or ".json".
Result<Scenario> load_scenario(const std::string& file_or_name);

/// Is a link with `now` worse in any respect than with `usual`?
bool is_worse(const Impairment& now, const Impairment& usual);

}  // namespace hopwise::lab
