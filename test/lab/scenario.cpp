#include "test/lab/scenario.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/config/reader.hpp"

namespace hopwise::lab {

namespace {

using config::Object;

constexpr std::size_t kMinUpstreams = 2;
constexpr std::size_t kMaxUpstreams = 8;
constexpr double kLongestDelayMs = 2000;

Duration from_milliseconds(double ms) {
  return Duration{std::llround(ms * 1e6)};
}

/// `said` gets "delay_ms=60 loss=0.1": what the file says, in a fixed order.
void read_impairment(Object& o, Impairment& impairment, std::string& said) {
  double number = 0;
  const auto given = [&](const char* key, config::Range<double> range) {
    if (!o.number(key, number, range)) return false;
    char text[64];
    std::snprintf(text, sizeof text, "%s%s=%g", said.empty() ? "" : " ", key, number);
    said += text;
    return true;
  };
  if (given("delay_ms", {0, kLongestDelayMs})) impairment.delay = from_milliseconds(number);
  if (given("jitter_ms", {0, kLongestDelayMs})) impairment.jitter = from_milliseconds(number);
  if (given("loss", {0, 1})) impairment.loss = number;
  if (given("rate_mbit", {0.1, 10000}))
    impairment.rate_bit_s = static_cast<std::uint64_t>(number * 1e6);
  if (given("queue_ms", {0.1, 10000})) impairment.queue = from_milliseconds(number);
  if (impairment.jitter > impairment.delay)
    o.fault("jitter_ms", "is more than delay_ms (a frame cannot arrive before it is sent)");
}

void read_upstreams(Object& top, Topology& topology) {
  const bool good = top.objects("upstreams", [&](Object& o) {
    UpstreamSpec upstream;
    std::string daemon = "frr";
    std::string said;
    o.require({"name"});
    o.text("name", upstream.name);
    o.one_of("daemon", daemon, {"frr", "bird", "none"});
    upstream.daemon = daemon == "bird"  ? Daemon::bird
                      : daemon == "frr" ? Daemon::frr
                                        : Daemon::none;
    read_impairment(o, upstream.impairment, said);
    double told = 0;
    if (o.number("told_mbit", told, {0.1, 10000}))
      upstream.told_bit_s = static_cast<std::uint64_t>(told * 1e6);
    if (std::ranges::count(topology.upstreams, upstream.name, &UpstreamSpec::name) > 0)
      o.fault("name", '"' + upstream.name + "\" is another upstream's name already");
    topology.upstreams.push_back(upstream);
  });
  const auto count = topology.upstreams.size();
  if (good && (count < kMinUpstreams || count > kMaxUpstreams))
    top.fault("upstreams", "there are " + std::to_string(count) + " (give 2 to 8)");
}

void read_families(Object& top, Scenario& scenario) {
  const config::Value* list = top.value("families");
  if (list == nullptr) return;
  scenario.families.clear();
  for (const auto& item : list->items) {
    const bool known = item.kind == config::Kind::number && (item.text == "4" || item.text == "6");
    const auto family = item.text == "6" ? Family::v6 : Family::v4;
    if (!known || std::ranges::count(scenario.families, family) > 0)
      return top.fault("families", "is not [4], [6] or [4, 6]");
    scenario.families.push_back(family);
  }
  if (scenario.families.empty()) top.fault("families", "is not [4], [6] or [4, 6]");
}

void read_traffic(Object& o, TrafficSpec& traffic) {
  o.integer("long_flows", traffic.long_flows, {0, 1000});
  o.number("new_flows_per_s", traffic.new_flows_per_s, {0, 1000});
  o.integer("flow_kbytes", traffic.flow_kbytes, {1, 100000});
  o.number("mbit", traffic.mbit, {0.1, 10000});
  const double by_short_flows = traffic.new_flows_per_s * traffic.flow_kbytes * 8e-3;
  if (by_short_flows > traffic.mbit)
    o.fault("mbit", "is less than the short flows alone make (" +
                        std::to_string(std::lround(by_short_flows)) + " Mbit/s)");
}

void read_event(Object& o, Scenario& scenario, std::vector<Impairment>& current) {
  ScenarioEvent event;
  std::string name;
  o.require({"at_s", "upstream"});
  o.number("at_s", event.at_s, {0, scenario.duration_s});
  const bool named = o.text("upstream", name);
  const auto& upstreams = scenario.topology.upstreams;
  const auto found = std::ranges::find(upstreams, name, &UpstreamSpec::name);
  if (named && found == upstreams.end())
    o.fault("upstream", '"' + name + "\" is not the name of an upstream");
  const bool known = found != upstreams.end();
  event.upstream = static_cast<std::size_t>(found - upstreams.begin());
  if (known) event.impairment = current[event.upstream];
  if (!scenario.events.empty() && event.at_s < scenario.events.back().at_s)
    o.fault("at_s", "is before the event above it (put events in their order)");
  o.object("set", [&](Object& set) { read_impairment(set, event.impairment, event.what); });
  bool restore = false;
  o.boolean("restore", restore);
  if (restore == o.has("set")) o.fault("set", "give either \"set\" or \"restore\": true");
  if (restore) event.what = "restore";
  if (!known) return;
  if (restore) event.impairment = upstreams[event.upstream].impairment;
  current[event.upstream] = event.impairment;
  scenario.events.push_back(std::move(event));
}

void read_scenario(Object& top, Scenario& scenario) {
  top.require({"name", "upstreams"});
  top.text("name", scenario.name);
  top.number("duration_s", scenario.duration_s, {2, 3600});
  read_families(top, scenario);
  std::string wan = "separate";
  top.one_of("wan", wan, {"separate", "shared"});
  scenario.topology.wan = wan == "shared" ? Wan::shared : Wan::separate;
  read_upstreams(top, scenario.topology);
  top.object("traffic", [&](Object& o) { read_traffic(o, scenario.traffic); });
  std::vector<Impairment> current;
  for (const auto& upstream : scenario.topology.upstreams) current.push_back(upstream.impairment);
  top.objects("events", [&](Object& o) { read_event(o, scenario, current); });
  if (const auto* hopwise = top.value("hopwise"); hopwise != nullptr) {
    if (hopwise->kind != config::Kind::object)
      top.fault("hopwise", "is no object (it holds configuration of hopwise)");
    scenario.hopwise = config::json(*hopwise);
  }
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, const std::string& file) {
  Scenario scenario;
  const auto read = config::read(text, file, [&](Object& top) { read_scenario(top, scenario); });
  if (!read) return read.error();
  return scenario;
}

Result<Scenario> load_scenario(const std::string& file_or_name) {
  const bool is_name =
      file_or_name.find('/') == std::string::npos && !file_or_name.ends_with(".json");
  const std::string path =
      is_name ? std::string(HOPWISE_SCENARIOS) + "/" + file_or_name + ".json" : file_or_name;
  std::ifstream file(path);
  if (!file) {
    std::string known;
    for (const auto& entry : std::filesystem::directory_iterator(HOPWISE_SCENARIOS))
      known += " " + entry.path().stem().string();
    return system_error("read the scenario " + path, errno, "a file, or one of:" + known);
  }
  std::stringstream text;
  text << file.rdbuf();
  return parse_scenario(text.str(), path);
}

bool is_worse(const Impairment& now, const Impairment& usual) {
  const auto rate = [](const Impairment& i) { return i.rate_bit_s == 0 ? ~0ULL : i.rate_bit_s; };
  return now.delay > usual.delay || now.jitter > usual.jitter || now.loss > usual.loss ||
         rate(now) < rate(usual) || now.queue > usual.queue;
}

}  // namespace hopwise::lab
