// A scenario's document: its order, its names, and what must fit together.
#include "core/simulation/scenario_reader.hpp"

#include <algorithm>

#include "core/model/format.hpp"

namespace hopwise::simulation {
namespace {

using namespace std::chrono_literals;
using config::Object;

constexpr std::size_t kMostLinks = 64;
constexpr std::size_t kMostGroups = 1024;
constexpr std::size_t kMostEvents = 10'000;

void read_seconds(Object& o, std::string_view key, double& out, config::Range<Duration> range) {
  Duration duration{};
  if (o.duration(key, duration, range)) out = seconds(duration);
}

/// What an event says, for people: "fast: base=50ms outage=none".
std::string event_text(const std::string& subject, const config::Value* value) {
  std::string text = subject + ':';
  for (const config::Member& member : value->members)
    text += ' ' + member.key + (member.value.text.empty() ? "" : '=' + member.value.text);
  return text;
}

}  // namespace

std::optional<std::size_t> ScenarioReader::find_link(const std::string& name) const {
  const auto& links = scenario_->links;
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&](const ScenarioLink& l) { return l.spec.name == name; });
  if (found == links.end()) return std::nullopt;
  return static_cast<std::size_t>(found - links.begin());
}

void ScenarioReader::read(Object& top) {
  Scenario& s = *scenario_;
  top.require({"name", "links"});
  top.text("name", s.name);
  top.text("about", s.about);
  read_times(top);
  std::int64_t seed = 1;
  if (top.integer<std::int64_t>("seed", seed, {0, 1LL << 53}))
    s.plant.seed = static_cast<std::uint64_t>(seed);
  top.object("measurement", [&](Object& o) { read_measurement(o); });
  top.object("engine", [&](Object& o) { read_engine(o, s.engine); });
  top.objects("links", [&](Object& o) { read_link(o); });
  top.objects("groups", [&](Object& o) { read_group(o); });
  if (!top.has("groups")) {
    top.require({"demand"});
    ScenarioGroup& group = s.groups.emplace_back();
    group.name = "all";
    group.router = "router";
    for (std::size_t i = 0; i < s.links.size(); ++i) group.spec.links.push_back(i);
    read_policy(top, group.terms);
    top.object("demand", [&](Object& o) { read_demand(o, group.spec.demand); });
  }
  top.objects("events", [&](Object& o) { read_event(o); });
  check(top);
}

void ScenarioReader::read_times(Object& top) {
  Scenario& s = *scenario_;
  read_seconds(top, "duration", s.duration_s, {10s, 48h});
  read_seconds(top, "warm_up", s.warm_up_s, {0s, 24h});
  read_seconds(top, "settle", s.settle_s, {0s, 24h});
  read_seconds(top, "step", s.plant.step_s, {1ms, 100ms});
  Duration costs{};
  if (top.duration("loss_costs", costs, {0s, 1min})) s.loss_costs_ms = milliseconds(costs);
  read_seconds(top, "oracle_every", s.oracle_every_s, {1s, 24h});
}

void ScenarioReader::read_measurement(Object& o) {
  Measurement& m = scenario_->measurement;
  o.number("probes", m.probes_s, {0.1, 100});
  o.number("suspicious", m.suspicious_s, {0.1, 100});
  read_seconds(o, "stale", m.stale_s, {0s, 1min});
  o.boolean("passive", m.passive);
  o.boolean("load", m.load);
}

void ScenarioReader::read_link(Object& o) {
  Scenario& s = *scenario_;
  ScenarioLink link;
  o.require({"name", "capacity", "base"});
  o.text("name", link.spec.name);
  const std::string name = link.spec.name;
  if (find_link(name)) o.fault("name", '"' + name + "\" stands here twice (rename one)");
  link.spec = read_link_change(o).onto(link.spec);
  read_told(o, link);
  int copies = 1;
  o.integer<int>("copies", copies, {1, 64});
  for (int n = 1; n <= copies && s.links.size() <= kMostLinks; ++n) {
    link.spec.name = copies == 1 ? name : name + std::to_string(n);
    s.links.push_back(link);
  }
}

void ScenarioReader::read_told(Object& link, ScenarioLink& out) {
  link.object("told", [&](Object& o) {
    std::uint64_t rate = 0;
    bool exact = true;
    o.boolean("exact", exact);
    if (o.bit_rate("capacity", rate, {1000, 1'000'000'000'000}))
      out.told.capacity = {static_cast<double>(rate), exact};
    if (o.bit_rate("commit", rate, {1000, 1'000'000'000'000}))
      out.told.commit_bit_s = static_cast<double>(rate);
    o.number("price", out.told.price, {0, 1e6});
  });
}

void ScenarioReader::read_group(Object& o) {
  Scenario& s = *scenario_;
  ScenarioGroup group;
  o.require({"name", "demand"});
  o.text("name", group.name);
  const std::string name = group.name;
  if (std::any_of(s.groups.begin(), s.groups.end(),
                  [&](const ScenarioGroup& g) { return g.name == name; }))
    o.fault("name", '"' + name + "\" stands here twice (rename one)");
  group.router = "router";
  o.text("router", group.router);
  read_paths(o, group.spec);
  read_policy(o, group.terms);
  o.object("demand", [&](Object& demand) { read_demand(demand, group.spec.demand); });
  int copies = 1;
  o.integer<int>("copies", copies, {1, 1024});
  for (int n = 1; n <= copies && s.groups.size() <= kMostGroups; ++n) {
    group.name = copies == 1 ? name : name + std::to_string(n);
    s.groups.push_back(group);
  }
}

void ScenarioReader::read_paths(Object& o, GroupSpec& group) {
  std::vector<std::string> names;
  if (!o.texts("paths", names))
    for (const ScenarioLink& link : scenario_->links) names.push_back(link.spec.name);
  for (const std::string& name : names) {
    const auto link = find_link(name);
    if (link)
      group.links.push_back(*link);
    else
      o.fault("paths", "no link has the name \"" + name + "\" (name one of \"links\")");
  }
  const config::Value* routing = o.value("routing");
  if (routing == nullptr) return;
  for (const config::Value& weight : routing->items)
    group.routing.push_back(weight.kind == config::Kind::number ? std::stod(weight.text) : 0);
  const bool good =
      group.routing.size() == group.links.size() &&
      std::all_of(group.routing.begin(), group.routing.end(),
                  [](double w) { return w == 0 || (w >= 1 && w <= 1000); }) &&
      std::any_of(group.routing.begin(), group.routing.end(), [](double w) { return w > 0; });
  if (!good)
    o.fault("routing",
            "is not one weight from 1 to 1000 for each path, or 0 for a candidate (write [1, 2])");
}

void ScenarioReader::read_policy(Object& o, engine::GroupTerms& terms) {
  std::string name;
  if (o.text("policy", name)) {
    const auto policy = engine::policy_named(name);
    std::string known;
    for (const std::string_view n : engine::policy_names())
      known += (known.empty() ? "" : ", ") + std::string(n);
    if (policy)
      terms.policy = *policy;
    else
      o.fault("policy", '"' + name + "\" is no policy (write one of " + known + ")");
  }
  o.object("objectives", [&](Object& wants) {
    Duration latency{};
    if (wants.duration("max_latency", latency, {1ms, 10s})) terms.objectives.max_latency = latency;
    double loss = 0;
    if (wants.ratio("max_loss", loss)) terms.objectives.max_loss = loss;
    std::uint64_t rate = 0;
    if (wants.bit_rate("min_bandwidth", rate, {1000, 1'000'000'000'000}))
      terms.objectives.min_bandwidth_bit_s = static_cast<double>(rate);
  });
}

void ScenarioReader::read_event(Object& o) {
  Scenario& s = *scenario_;
  Event event;
  o.require({"at"});
  read_seconds(o, "at", event.at_s, {0s, 48h});
  double every_s = 0;
  int times = 1;
  read_seconds(o, "every", every_s, {100ms, 24h});
  o.integer<int>("times", times, {1, 10'000});
  std::string name;
  if (o.text("link", name)) {
    event.link = find_link(name);
    if (!event.link) o.fault("link", "no link has the name \"" + name + "\"");
    const bool told =
        o.object("change", [&](Object& c) { event.link_change = read_link_change(c); });
    if (!told) o.fault("change", "what changes is missing (write { \"base\": \"50ms\" })");
  } else if (o.text("group", name)) {
    const auto found = std::find_if(s.groups.begin(), s.groups.end(),
                                    [&](const ScenarioGroup& g) { return g.name == name; });
    if (found == s.groups.end()) o.fault("group", "no group has the name \"" + name + "\"");
    event.group = static_cast<std::size_t>(found - s.groups.begin());
    const bool told =
        o.object("change", [&](Object& c) { event.demand_change = read_demand_change(c); });
    if (!told) o.fault("change", "what changes is missing (write { \"mean\": \"50Mbit\" })");
  } else {
    o.fault("link", "an event needs a \"link\" or a \"group\" (without groups: \"all\")");
    return;
  }
  if (const config::Value* change = o.value("change")) event.text = event_text(name, change);
  if (times > 1 && every_s <= 0) o.fault("times", "needs \"every\" (write \"every\": \"20s\")");
  for (int n = 0; n < times && s.events.size() < kMostEvents; ++n, event.at_s += every_s)
    s.events.push_back(event);
}

void ScenarioReader::check(Object& top) {
  Scenario& s = *scenario_;
  if (s.links.empty()) top.fault("links", "none (name at least one)");
  if (s.links.size() > kMostLinks) top.fault("links", format("more than %zu", kMostLinks));
  if (s.groups.size() > kMostGroups) top.fault("groups", format("more than %zu", kMostGroups));
  if (s.warm_up_s >= s.duration_s)
    top.fault("warm_up", "is as long as the whole (make \"duration\" longer)");
  std::stable_sort(s.events.begin(), s.events.end(),
                   [](const Event& a, const Event& b) { return a.at_s < b.at_s; });
  for (const Event& e : s.events)
    if (e.at_s >= s.duration_s)
      return top.fault("events", format("one at %g s comes after the end", e.at_s));
}

}  // namespace hopwise::simulation
