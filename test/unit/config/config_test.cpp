#include "core/config/config.hpp"

#include <fstream>
#include <random>
#include <sstream>
#include <tuple>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::config;
using namespace std::chrono_literals;

namespace {

std::string example_text() {
  std::ifstream file(std::string(HOPWISE_SOURCE_DIR) + "/core/config/example.json");
  REQUIRE(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string fault(const std::string& text) {
  const auto config = parse(text, "f");
  return config ? "" : config.error().message;
}

/// "FILE:LINE:COLUMN: ..." with numbers from 1.
bool has_position(const std::string& line) {
  unsigned row = 0, column = 0;
  int length = 0;
  return std::sscanf(line.c_str(), "f:%u:%u: %n", &row, &column, &length) == 2 && row > 0 &&
         column > 0 && static_cast<std::size_t>(length) < line.size();
}

}  // namespace

TEST_CASE("the example parses and says what it names") {
  const auto config = parse(example_text(), "example.json");
  if (!config) FAIL(config.error().message);
  REQUIRE(config->nexthops.size() == 2);
  CHECK(config->nexthops[0].name == "isp-a");
  CHECK(config->nexthops[0].interface == "eth1");
  REQUIRE(config->nexthops[0].anchors.size() == 4);
  CHECK(config->nexthops[0].anchors[3].anchor.text() == "https://192.0.2.1:443");
  CHECK(config->nexthops[0].anchors[3].http_host == "www.example.net");
  CHECK(config->nexthops[1].anchors.size() == 2);
  CHECK(config->lan_interfaces == std::vector<std::string>{"eth0"});
  CHECK(config->route_filter.only.size() == 2);
}

TEST_CASE("the example shows every default as it is") {
  const auto example = parse(example_text(), "example.json");
  REQUIRE(example.has_value());
  const Config& e = *example;
  const Config d;
  CHECK(e.steer == d.steer);
  CHECK(e.bypass_policy == d.bypass_policy);
  CHECK(e.log_level == d.log_level);
  CHECK(e.affinity == d.affinity);
  CHECK(e.escape == d.escape);
  CHECK(e.local_traffic == d.local_traffic);
  CHECK(e.traces == d.traces);
  REQUIRE(e.groups.size() == 1);
  CHECK(e.groups[0].flowlet_gap == GroupConfig{}.flowlet_gap);
  Config listening = d;  // who tells of paths has no default, and all protocols have no name
  listening.routes.protocols = e.routes.protocols;
  listening.bgp = e.bgp;
  listening.bmp = e.bmp;
  CHECK(needs_restart(listening, e) == std::nullopt);
  CHECK(e.bgp.peers.at(0).hold_time == bgp::PeerOptions{}.hold_time);
  CHECK(e.bgp.peers.at(0).max_prefixes == bgp::PeerOptions{}.max_prefixes);
  CHECK(e.bmp.routers.at(0).max_prefixes == bgp::BmpRouterOptions{}.max_prefixes);
  const auto probe = [](const probes::Options& p) {
    return std::tie(p.interval, p.suspicious_interval, p.suspicious_for, p.min_timeout,
                    p.max_timeout, p.late_within, p.payload_bytes, p.mark_base, p.rule_priority,
                    p.budget, p.flows, p.stage_from, p.http_interval, p.http_timeout);
  };
  CHECK((probe(e.probes) == probe(d.probes)));
  CHECK(e.anchors == d.anchors);
  const probes::AnchorSpec usual;
  for (const probes::AnchorSpec& spec : e.nexthops[0].anchors) {
    CHECK(spec.http_path == usual.http_path);
    CHECK(spec.verify_certificate == usual.verify_certificate);
  }
  const auto measures = [](const engine::Options& o) {
    return std::tie(o.fast_tau, o.slow_tau, o.base_window, o.loss_window, o.policy.delay_weight,
                    o.policy.queue_weight, o.policy.loss_weight, o.policy.jitter_weight,
                    o.policy.delay_floor, o.policy.delay_limit, o.policy.queue_limit,
                    o.policy.loss_limit, o.policy.jitter_limit, o.score_loss_window);
  };
  CHECK((measures(e.engine) == measures(d.engine)));
  const auto law = [](const engine::Options& o) {
    return std::tie(o.epoch, o.gain, o.max_step, o.ramp_step, o.floor, o.dead_band,
                    o.dead_band_delay, o.degraded_delay, o.degraded_ratio, o.degraded_loss,
                    o.down_after, o.up_after, o.quorum, o.usual_loss, o.false_alarm_every,
                    o.flap_penalty, o.flap_suppress, o.flap_reuse, o.flap_half_life);
  };
  CHECK((law(e.engine) == law(d.engine)));
}

TEST_CASE("the example names every key that is read") {
  const std::string example = example_text();
  const std::string everywhere = fault(R"({"#####################################": 1,
    "routes": {"#####################################": 1},
    "nexthops": [{"gateway": "192.0.2.1", "#####################################": 1,
                  "anchors": [{"anchor": "192.0.2.9",
                               "#####################################": 1}]}],
    "groups": [{"name": "g", "nexthops": [], "#####################################": 1,
                "policy": {"#####################################": 1},
                "objectives": {"max_loss": 0, "#####################################": 1},
                "prefer": [{"nexthop": "192.0.2.1", "worth": "1ms",
                            "#####################################": 1}]}],
    "classes": [{"name": "c", "#####################################": 1,
                 "match": [{"protocol": "udp", "#####################################": 1}]}],
    "probe": {"#####################################": 1},
    "engine": {"#####################################": 1},
    "dataplane": {"#####################################": 1},
    "api": {"#####################################": 1}})");
  std::size_t keys = 0;
  std::istringstream lines(everywhere);
  for (std::string line; std::getline(lines, line);) {
    const auto start = line.find("(known here: ");
    REQUIRE(start != std::string::npos);
    std::istringstream known(line.substr(start + 13, line.size() - start - 14));
    for (std::string key; std::getline(known >> std::ws, key, ',');) {
      CAPTURE(key);
      CHECK(example.find('"' + key + "\":") != std::string::npos);
      ++keys;
    }
  }
  CHECK(keys > 50);
}

TEST_CASE("an empty object and no file at all are the defaults") {
  REQUIRE(parse("{}", "f").has_value());
  const auto config = load("");
  REQUIRE(config.has_value());
  CHECK(config->nexthops.empty());
  CHECK(config->steer);
}

TEST_CASE("a file that cannot be read is named with its cause and a remedy") {
  const auto missing = load("/nowhere/hopwise.json");
  REQUIRE(missing.has_error());
  CHECK(missing.error().message ==
        "read /nowhere/hopwise.json: No such file or directory (create it, or name no file to run "
        "with the defaults)");
  const auto folder = load("/");
  REQUIRE(folder.has_error());
  CHECK(folder.error().message.starts_with("read /: Is a directory"));
}

TEST_CASE("typing errors are found with their place") {
  CHECK(fault("{\n  \"probe\": {\"intervall\": \"1s\"}}") ==
        "f:2:13: probe: unknown key \"intervall\" (did you mean \"interval\"?)");
  CHECK(fault("{\"probe\": {\"interval\": 200}}") ==
        "f:1:24: probe.interval: \"200\" has no unit (write \"200ms\")");
  CHECK(fault("{\"steer\": true, \"steer\": false}").starts_with("f:1:17: steer: duplicate key"));
  CHECK(
      fault("{\"routes\": {\"only\": [\"10.0.0.1/8\"]}}").starts_with("f:1:22: routes.only[0]: "));
  CHECK(fault("{\"log_level\": \"warning\"}") ==
        "f:1:15: log_level: \"warning\" is unknown (write one of \"debug\", \"info\", \"warn\", "
        "\"error\")");
}

TEST_CASE("keys that contradict each other are faults") {
  for (
      const char* text : {
          R"({"probe": {"interval": "50ms", "suspicious_interval": "60ms"}})",
          R"({"probe": {"interval": "20ms"}})",  // faster than the default of the suspicious one
          R"({"probe": {"min_timeout": "2s"}})",
          R"({"probe": {"late_within": "500ms"}})",
          R"({"probe": {"http_timeout": "6s"}})",
          R"({"probe": {"budget": 19}})",  // one suspicious anchor needs 20
          R"({"probe": {"budget": 0}})",
          R"({"probe": {"flows": 0}})",
          R"({"probe": {"flows": 17}})",
          R"({"probe": {"stage_from": 0}})",
          R"({"engine": {"fast_tau": "30s"}})",
          R"({"engine": {"flap_reuse": 3000}})",
          R"({"engine": {"quorum": 1.1}})",
          R"({"engine": {"usual_loss": 0.05}})",
          R"({"engine": {"degraded_loss": 0.005}})",  // no more than usual_loss
          R"({"engine": {"usual_loss": 0}})",
          R"({"engine": {"false_alarm_every": "1m"}})",
          R"({"engine": {"loss_limit": 1.5}})",
          R"({"engine": {"floor": 0.2}})",
          R"({"dataplane": {"pin_root": "hopwise"}})",
          R"({"dataplane": {"actuator": "mark", "local_traffic": true}})",
          R"({"dataplane": {"control_share": 0.6}})",
          R"({"dataplane": {"sample_share": -0.1}})",
          R"({"dataplane": {"escape": "perhaps"}})",
          R"({"dataplane": {"escape": 1}})",
          R"({"dataplane": {"on_lease_over": "drop"}})",
          R"({"dataplane": {"new_flows_per_second": 999}})",
          R"({"groups": [{"name": "g", "nexthops": ["isp-a"]}]})",
          R"({"groups": [{"name": "g"}]})",
          R"({"groups": [{"name": "g", "nexthops": ["192.0.2.1"]},
                          {"name": "g", "nexthops": ["192.0.2.2"]}]})",
          R"({"groups": [{"name": "g", "nexthops": ["192.0.2.1"], "flowlet_gap": "66s"}]})",
          R"({"api": {"socket": "hopwise.sock"}})",
          R"({"state": {"file": "state.json"}})",
          R"({"state": {"file": "/var/lib/hopwise/"}})",
          R"({"lan_interfaces": ["eth0", "eth0"]})",
          R"({"lan_interfaces": ["an interface"]})",
          R"({"nexthops": [{"name": "a"}]})",
          R"({"nexthops": [{"gateway": "fe80::1"}]})",
          R"({"nexthops": [{"gateway": "192.0.2.1", "anchors": ["2001:db8::1"]}]})",
          R"({"nexthops": [{"gateway": "192.0.2.1"}, {"gateway": "192.0.2.1", "interface": "eth0"}]})",
          R"({"nexthops": [{"gateway": "192.0.2.1", "interface": "eth0", "name": "a"},
                            {"gateway": "192.0.2.2", "interface": "eth0", "name": "a"}]})",
      }) {
    CAPTURE(text);
    const std::string message = fault(text);
    CHECK(has_position(message));
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a gateway may stand twice on two interfaces, and IPv4 anchors behind an IPv6 gateway") {
  CHECK(fault(R"({"nexthops": [
    {"gateway": "fe80::1", "interface": "eth0", "anchors": ["192.0.2.1", "2001:db8::1"]},
    {"gateway": "fe80::1", "interface": "eth1"}]})") == "");
}

TEST_CASE("groups name nexthops by name, by gateway, or by both ends") {
  const auto config = parse(R"({"nexthops": [{"name": "isp-a", "gateway": "192.0.2.1"}],
    "groups": [{"name": "g", "nexthops": ["isp-a", "2001:db8::1", "192.0.2.9@eth1"],
                "affinity": "bucket"}]})",
                            "f");
  if (!config) FAIL(config.error().message);
  REQUIRE(config->groups.size() == 1);
  CHECK(config->groups[0].nexthops.size() == 3);
  CHECK(config->groups[0].affinity == dataplane::Affinity::bucket);
  CHECK(fault(R"({"groups": [{"name": "g", "nexthops": ["isp-b"]}]})") ==
        "f:1:39: groups[0].nexthops: \"isp-b\" is no nexthop (write the name of one in "
        "\"nexthops\", or a gateway's address)");
}

TEST_CASE("the data plane's keys are read, and flows escape where NAT does not forbid it") {
  const auto dataplane = [](const std::string& keys) {
    auto config = parse("{\"dataplane\": {" + keys + "}}", "f");
    if (!config) FAIL(config.error().message);
    return *config;
  };
  using dataplane::Actuator;
  const Config usual;
  CHECK(usual.dataplane.actuator == Actuator::automatic);
  CHECK(may_escape(usual, Actuator::redirect));
  CHECK_FALSE(may_escape(usual, Actuator::mark));
  CHECK(may_escape(dataplane(R"("escape": true)"), Actuator::mark));
  CHECK(may_escape(dataplane(R"("escape": "on")"), Actuator::mark));
  CHECK_FALSE(may_escape(dataplane(R"("escape": "off")"), Actuator::redirect));
  CHECK(may_escape(dataplane(R"("escape": "auto")"), Actuator::redirect));

  const Config all = dataplane(
      R"("actuator": "mark", "measure": false, "on_lease_over": "hold", "control_share": 0.5,
         "sample_share": 1, "new_flows_per_second": 5000, "affinity": "flowlet")");
  CHECK(all.dataplane.actuator == Actuator::mark);
  CHECK_FALSE(all.dataplane.measure);
  CHECK(all.dataplane.hold_weights);
  CHECK(all.dataplane.control_share == 0.5);
  CHECK(all.dataplane.sample_share == 1);
  CHECK(all.dataplane.new_flows_per_s == 5000);
  CHECK(all.affinity == dataplane::Affinity::flowlet);
  CHECK(dataplane(R"("local_traffic": true)").local_traffic);
}

TEST_CASE("marks have one base, for probes and traffic") {
  const auto config = parse(R"({"probe": {"mark_base": "0x12340000"}})", "f");
  REQUIRE(config.has_value());
  CHECK(config->dataplane.mark_base == 0x12340000);
}

TEST_CASE("only loopback addresses are listened on while there is no TLS") {
  CHECK(fault(R"({"api": {"listen": "[::1]:9469"}})") == "");
  CHECK(fault(R"({"api": {"listen": "127.3.2.1:1"}})") == "");
  CHECK(fault(R"({"api": {"listen": ""}})") == "");
  CHECK(fault(R"({"api": {"listen": "0.0.0.0:9469"}})").find("no TLS") != std::string::npos);
  CHECK(fault(R"({"api": {"listen": "[2001:db8::1]:9469"}})").find("no TLS") != std::string::npos);
  for (const char* bad : {"9469", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000",
                          "::1:9469", "[127.0.0.1]:9469", "localhost:9469"}) {
    CAPTURE(bad);
    CHECK(fault("{\"api\": {\"listen\": \"" + std::string(bad) + "\"}}")
              .find("is no address and port") != std::string::npos);
  }
}

TEST_CASE("a route filter accepts what is inside of only and outside of except") {
  RouteFilter filter;
  const auto prefix = [](const char* text) { return *Prefix::parse(text); };
  CHECK(filter.accepts(prefix("0.0.0.0/0")));
  filter.only = {prefix("10.0.0.0/8")};
  filter.except = {prefix("10.1.0.0/16")};
  CHECK(filter.accepts(prefix("10.0.0.0/8")));
  CHECK(filter.accepts(prefix("10.2.0.0/24")));
  CHECK(!filter.accepts(prefix("10.1.2.0/24")));
  CHECK(!filter.accepts(prefix("0.0.0.0/0")));
  CHECK(!filter.accepts(prefix("2001:db8::/32")));
}

TEST_CASE("what cannot change while running is named") {
  Config running, wanted;
  wanted.engine.gain = 0.1;
  wanted.probes.interval = 1s;
  wanted.steer = false;
  CHECK(needs_restart(running, wanted) == std::nullopt);
  wanted.affinity = dataplane::Affinity::bucket;
  wanted.local_traffic = true;
  CHECK(needs_restart(running, wanted) == std::nullopt);
  const auto named = [&](auto change) {
    Config other;
    change(other);
    const auto message = needs_restart(running, other);
    return message ? message->substr(0, message->find(':')) : "";
  };
  using C = Config;
  CHECK(named([](C& c) { c.dataplane.actuator = dataplane::Actuator::mark; }) ==
        "dataplane.actuator");
  CHECK(named([](C& c) { c.probes.flows = 1; }) == "probe.flows");
  CHECK(named([](C& c) { c.state_file = ""; }) == "state.file");
  CHECK(named([](C& c) { c.probes.stage_from = 100; }) == "probe.stage_from");
  CHECK(named([](C& c) { c.dataplane.measure = false; }) == "dataplane.measure");
  CHECK(named([](C& c) { c.escape = false; }) == "dataplane.escape");
  CHECK(named([](C& c) { c.dataplane.hold_weights = true; }) == "dataplane.on_lease_over");
  CHECK(named([](C& c) { c.dataplane.control_share = 0.01; }) == "dataplane.control_share");
  CHECK(named([](C& c) { c.dataplane.sample_share = 1; }) == "dataplane.sample_share");
  CHECK(named([](C& c) { c.dataplane.new_flows_per_s = 1000; }) ==
        "dataplane.new_flows_per_second");
  wanted.dataplane.pin_root = "/elsewhere";
  CHECK(
      needs_restart(running, wanted) ==
      "dataplane.pin_root: \"/sys/fs/bpf/hopwise\" cannot become \"/elsewhere\" while hopwise runs "
      "(restart it: traffic goes on meanwhile)");
}

TEST_CASE("no mutation of the example crashes the reader, and every fault has its place") {
  const std::string example = example_text();
  std::mt19937 random(20261121);
  const auto below = [&](std::size_t n) { return random() % n; };
  const std::string spice = "{}[]\",:/*\\0-e.tn\n\x01\xff";
  std::size_t refused = 0;
  for (int round = 0; round < 10'000; ++round) {
    std::string text = example;
    for (std::size_t edits = 1 + below(3); edits > 0; --edits) {
      const std::size_t at = below(text.size());
      const std::size_t length = std::min(1 + below(24), text.size() - at);
      switch (below(4)) {
        case 0:
          text[at] = spice[below(spice.size())];
          break;
        case 1:
          text.insert(at, 1, spice[below(spice.size())]);
          break;
        case 2:
          text.erase(at, length);
          break;
        default:
          text.insert(below(text.size()), text.substr(at, length));
      }
    }
    const auto config = parse(text, "f");
    if (config) continue;
    ++refused;
    std::istringstream lines(config.error().message);
    std::string line;
    bool placed = true;
    while (std::getline(lines, line)) placed = placed && has_position(line);
    if (!placed || config.error().message.empty())
      FAIL(config.error().message << "\nin:\n" << text);
  }
  CHECK(refused > 1'000);
}
