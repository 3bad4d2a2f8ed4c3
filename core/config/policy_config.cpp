#include "core/config/policy_config.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace hopwise::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostClasses = 7, kMostRules = 32;
constexpr std::size_t kMostAtOnce = 4096;  // combinations that are written down before they count

#define HOPWISE_POLICIES \
  { "balanced", "latency", "throughput", "loss", "cost" }

void read_weights(Object& o, engine::Policy& e) {
  const Range<double> weight{0, 100};
  const Range<Duration> limit{1us, 10s};
  o.number("delay_weight", e.delay_weight, weight);
  o.number("queue_weight", e.queue_weight, weight);
  o.number("loss_weight", e.loss_weight, weight);
  o.number("jitter_weight", e.jitter_weight, weight);
  o.number("price_weight", e.price_weight, weight);
  o.number("load_weight", e.load_weight, weight);
  o.duration("delay_floor", e.delay_floor, {0s, 10s});
  o.duration("delay_limit", e.delay_limit, limit);
  o.duration("queue_limit", e.queue_limit, limit);
  o.number("loss_limit", e.loss_limit, {0.0001, 1});
  o.duration("jitter_limit", e.jitter_limit, limit);
  o.number("price_limit", e.price_limit, {1e-9, 1e9});
}

// By name, or as an object: another policy's figures with some of its own.
void read_policy(Object& o, const engine::Policy& usual, std::optional<engine::Policy>& out) {
  const Value* value = o.value("policy");
  std::string name;
  if (value == nullptr) return;
  if (value->kind != Kind::object) {
    if (o.one_of("policy", name, HOPWISE_POLICIES)) out = engine::policy_named(name);
    return;
  }
  engine::Policy policy = usual;
  o.object("policy", [&](Object& p) {
    if (p.one_of("base", name, HOPWISE_POLICIES))
      policy = engine::policy_named(name).value_or(policy);
    read_weights(p, policy);
  });
  out = policy;
}

void read_objectives(Object& o, engine::Objectives& wanted) {
  Duration latency{};
  double loss = 0;
  std::uint64_t bit_s = 0;
  std::string unmet;
  if (o.duration("max_latency", latency, {1ms, 1min})) wanted.max_latency = latency;
  if (o.ratio("max_loss", loss)) wanted.max_loss = loss;
  if (o.bit_rate("min_bandwidth", bit_s, {8'000, 100'000'000'000'000}))
    wanted.min_bandwidth_bit_s = static_cast<double>(bit_s);
  if (o.one_of("unmet", unmet, {"best", "routing"}))
    wanted.unmet = unmet == "best" ? engine::Unmet::best : engine::Unmet::routing;
  if (!o.has("max_latency") && !o.has("max_loss") && !o.has("min_bandwidth"))
    o.fault("unmet",
            "names nothing that could be unmet (add max_latency, max_loss or min_bandwidth)");
}

void read_preferences(Object& o, const Config& config, TermsConfig& terms) {
  std::vector<PreferenceConfig> preferred;
  const bool given = o.objects("prefer", [&](Object& p) {
    PreferenceConfig preference;
    p.require({"nexthop", "worth"});
    p.text("nexthop", preference.nexthop);
    p.duration("worth", preference.worth, {100us, 10s});
    if (!preference.nexthop.empty() && !can_be_nexthop(preference.nexthop, config))
      p.fault("nexthop", '"' + preference.nexthop +
                             "\" is no nexthop (write the name of one in \"nexthops\", or a "
                             "gateway's address)");
    for (const PreferenceConfig& other : preferred)
      if (other.nexthop == preference.nexthop)
        p.fault("nexthop", '"' + preference.nexthop + "\" is preferred already (remove one)");
    preferred.push_back(std::move(preference));
  });
  if (given) terms.prefer = std::move(preferred);
}

// --- matches --------------------------------------------------------------------------------

// RFC 2474, 2597, 3246, 5865, 8622.
std::optional<std::uint8_t> dscp_named(const std::string& name) {
  const auto digit = [&](std::size_t i) { return static_cast<std::uint8_t>(name[i] - '0'); };
  if (name == "EF") return 46;
  if (name == "VA") return 44;
  if (name == "LE") return 1;
  if (name == "DF" || name == "BE") return 0;
  if (name.size() == 3 && name.starts_with("CS") && digit(2) <= 7) return digit(2) * 8;
  if (name.size() == 4 && name.starts_with("AF") && digit(2) >= 1 && digit(2) <= 4 &&
      digit(3) >= 1 && digit(3) <= 3)
    return digit(2) * 8 + digit(3) * 2;
  return std::nullopt;
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return number;
}

void read_dscp(Object& o, ClassRule& rule) {
  const Value* value = o.value("dscp");
  if (value == nullptr) return;
  rule.dscp = 0;
  if (value->kind != Kind::list || value->items.empty())
    return o.fault("dscp", "must be a list with an element at least, like [\"EF\", 34]");
  for (const Value& item : value->items) {
    std::optional<std::uint32_t> dscp;
    if (item.kind == Kind::number) dscp = number_of(item.text);
    if (item.kind == Kind::string) dscp = dscp_named(item.text);
    if (!dscp || *dscp > 63)
      return o.fault("dscp", json(item) +
                                 " is no DSCP (write 0 to 63, or a name: EF, VA, LE, BE, CS0 to "
                                 "CS7, AF11 to AF43)");
    rule.dscp |= 1ULL << *dscp;
  }
}

std::optional<PortRange> range_of(const std::string& text) {
  const std::size_t dash = text.find('-');
  const auto first = number_of(text.substr(0, dash));
  const auto last = dash == std::string::npos ? first : number_of(text.substr(dash + 1));
  if (!first || !last || *first < 1 || *last > 65535 || *first > *last) return std::nullopt;
  return PortRange{static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)};
}

std::vector<PortRange> read_ports(Object& o, const char* key) {
  std::vector<PortRange> ranges;
  const Value* value = o.value(key);
  if (value == nullptr) return ranges;
  if (value->kind != Kind::list || value->items.empty()) {
    o.fault(key, "must be a list with an element at least, like [\"5060\", \"10000-20000\"]");
    return ranges;
  }
  for (const Value& item : value->items) {
    const bool readable = item.kind == Kind::number || item.kind == Kind::string;
    if (const auto range = readable ? range_of(item.text) : std::nullopt)
      ranges.push_back(*range);
    else
      o.fault(key, json(item) + " is no port (write \"5060\", or \"10000-20000\"; 1 to 65535)");
  }
  return ranges;
}

// What is not named stands for one that fits all.
template <class T>
std::vector<std::optional<T>> or_any(const std::vector<T>& named) {
  if (named.empty()) return {std::nullopt};
  return {named.begin(), named.end()};
}

void read_match(Object& o, std::uint8_t traffic_class, std::vector<ClassRule>& rules) {
  ClassRule rule;
  rule.traffic_class = traffic_class;
  std::string protocol;
  std::vector<Prefix> sources, destinations;
  read_dscp(o, rule);
  if (o.one_of("protocol", protocol, {"tcp", "udp", "icmp"}))
    rule.protocol = protocol == "tcp"   ? IPPROTO_TCP
                    : protocol == "udp" ? IPPROTO_UDP
                                        : IPPROTO_ICMP;
  o.prefixes("source", sources);
  o.prefixes("destination", destinations);
  const auto ports = read_ports(o, "ports"), source_ports = read_ports(o, "source_ports");
  if (protocol == "icmp" && (o.has("ports") || o.has("source_ports")))
    o.fault("protocol", "ICMP has no ports (remove them, or choose tcp or udp)");
  if (!o.has("dscp") && protocol.empty() && sources.empty() && destinations.empty() &&
      ports.empty() && source_ports.empty())
    return o.fault("dscp", "names nothing: all traffic would be of the class (name something)");

  const std::size_t before = rules.size();
  for (const auto& source : or_any(sources))
    for (const auto& destination : or_any(destinations)) {
      if (source && destination && source->address.family != destination->address.family) continue;
      for (const auto& source_port : or_any(source_ports))
        for (const auto& port : or_any(ports)) {
          rule.source = source;
          rule.destination = destination;
          rule.source_port = source_port;
          rule.destination_port = port;
          if (rules.size() < kMostAtOnce) rules.push_back(rule);
        }
    }
  if (rules.size() == before && before < kMostAtOnce)
    o.fault("source", "nothing goes from IPv4 to IPv6 or back (name prefixes of one family)");
}

}  // namespace

bool can_be_nexthop(const std::string& named, const Config& config) {
  return std::any_of(config.nexthops.begin(), config.nexthops.end(),
                     [&](const NexthopConfig& nexthop) { return nexthop.name == named; }) ||
         IpAddress::parse(named.substr(0, named.find('@')));
}

void read_default_policy(Object& o, engine::Policy& policy) {
  std::string name;
  if (o.one_of("policy", name, HOPWISE_POLICIES))
    policy = engine::policy_named(name).value_or(policy);
  read_weights(o, policy);
}

void read_terms(Object& o, const Config& config, TermsConfig& terms) {
  std::string mode;
  bool revert = true;
  read_policy(o, config.engine.policy, terms.policy);
  engine::Objectives objectives;
  if (o.object("objectives", [&](Object& wanted) { read_objectives(wanted, objectives); }))
    terms.objectives = objectives;
  read_preferences(o, config, terms);
  if (o.one_of("mode", mode, {"steer", "dry_run"}))
    terms.mode = mode == "steer" ? engine::Mode::steer : engine::Mode::dry_run;
  if (o.boolean("revert", revert)) terms.revert = revert;
}

void read_classes(Object& top, Config& config) {
  std::vector<ClassConfig> classes;
  std::vector<ClassRule> rules;
  const bool given = top.objects("classes", [&](Object& o) {
    ClassConfig traffic;
    o.require({"name", "match"});
    o.text("name", traffic.name);
    for (const ClassConfig& other : classes)
      if (!traffic.name.empty() && traffic.name == other.name)
        o.fault("name", '"' + traffic.name + "\" is another class' name already (choose another)");
    const auto number = static_cast<std::uint8_t>(std::min(classes.size(), kMostClasses) + 1);
    o.objects("match", [&](Object& match) { read_match(match, number, rules); });
    read_terms(o, config, traffic.terms);
    classes.push_back(std::move(traffic));
  });
  if (!given) return;
  if (classes.size() > kMostClasses)
    top.fault("classes", "are " + std::to_string(classes.size()) + "; at most " +
                             std::to_string(kMostClasses) + " fit (join some)");
  if (rules.size() > kMostRules)
    top.fault("classes",
              "make " + (rules.size() < kMostAtOnce ? "" : std::string("more than ")) +
                  std::to_string(rules.size()) +
                  " rules, one for each combination of source, destination and ports; at most " +
                  std::to_string(kMostRules) + " fit (join prefixes or ports)");
  config.classes = std::move(classes);
  config.class_rules = std::move(rules);
}

}  // namespace hopwise::config
