// What groups and classes of traffic want: policies, objectives, preferences, matches.
#include <netinet/in.h>

#include "core/config/config.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::config;
using namespace std::chrono_literals;

namespace {

Result<Config> with_group(const std::string& keys) {
  return parse(R"({"nexthops": [
      {"name": "isp-a", "gateway": "192.0.2.1", "capacity": "100Mbit"},
      {"name": "isp-b", "gateway": "198.51.100.1", "capacity": "50Mbit"}],
    "engine": {"policy": "loss", "jitter_weight": 3},
    "groups": [{"name": "g", "nexthops": ["isp-a", "isp-b"], )" +
                   keys + "}]}",
               "c.json");
}

Result<Config> with_match(const std::string& match) {
  return parse(R"({"classes": [{"name": "voice", "match": [)" + match + "]}]}", "c.json");
}

std::vector<ClassRule> rules_of(const std::string& match) {
  const auto config = with_match(match);
  INFO((config ? "" : config.error().message));
  REQUIRE(config.has_value());
  return config->class_rules;
}

std::string fault(const Result<Config>& config) {
  return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("a group's policy is a name, or another's with figures of its own", "[config][classes]") {
  CHECK(with_group(R"("policy": "cost")")->groups[0].terms.policy == engine::policy_named("cost"));
  const auto based = with_group(R"("policy": {"base": "latency", "price_weight": 7})");
  engine::Policy latency = *engine::policy_named("latency");
  latency.price_weight = 7;
  CHECK(based->groups[0].terms.policy == latency);
  const auto plain = with_group(R"("policy": {"load_weight": 4})");  // of the engine's
  engine::Policy usual = *engine::policy_named("loss");
  usual.jitter_weight = 3;
  CHECK(plain->engine.policy == usual);
  usual.load_weight = 4;
  CHECK(plain->groups[0].terms.policy == usual);
  CHECK_FALSE(with_group(R"("mode": "steer")")->groups[0].terms.policy);
}

TEST_CASE("objectives, preferences, mode and revert are read as they are written",
          "[config][classes]") {
  const auto config = with_group(R"("objectives": {"max_latency": "150ms", "max_loss": 0.02,
      "min_bandwidth": "10Mbit", "unmet": "routing"},
      "prefer": [{"nexthop": "isp-b", "worth": "5ms"}], "mode": "dry_run", "revert": false)");
  REQUIRE(config.has_value());
  const TermsConfig& terms = config->groups[0].terms;
  CHECK(terms.objectives == engine::Objectives{150ms, 0.02, 1e7, engine::Unmet::routing});
  REQUIRE(terms.prefer);
  CHECK((*terms.prefer)[0].nexthop == "isp-b");
  CHECK((*terms.prefer)[0].worth == 5ms);
  CHECK(terms.mode == engine::Mode::dry_run);
  CHECK(terms.revert == false);
}

TEST_CASE("terms that cannot be are refused, with what to write", "[config][classes]") {
  const auto [keys, remedy] = GENERATE(table<const char*, const char*>({
      {R"("policy": "fast")", "write one of \"balanced\""},
      {R"("policy": {"base": "fast"})", "write one of \"balanced\""},
      {R"("policy": {"delay_weight": -1})", "from 0 to 100"},
      {R"("objectives": {"unmet": "best"})", "names nothing that could be unmet"},
      {R"("objectives": {"max_loss": 2})", "from 0 to 1"},
      {R"("objectives": {"min_bandwidth": "101Mbit"})", "the largest \"capacity\" is 100Mbit"},
      {R"("prefer": [{"nexthop": "isp-a"}])", "worth"},
      {R"("prefer": [{"nexthop": "isp-z", "worth": "1ms"}])", "is no nexthop"},
      {R"("prefer": [{"nexthop": "isp-a", "worth": "1ms"}, {"nexthop": "isp-a", "worth": "2ms"}])",
       "is preferred already"},
      {R"("mode": "observe")", "\"dry_run\""},
  }));
  const std::string message = fault(with_group(keys));
  INFO(message);
  CHECK(message.find("c.json:") == 0);
  CHECK(message.find(remedy) != std::string::npos);
}

TEST_CASE("a nexthop has a price and a commit that its capacity holds", "[config][classes]") {
  const auto with = [](const std::string& keys) {
    return parse(R"({"nexthops": [{"gateway": "192.0.2.1", "capacity": "100Mbit", )" + keys + "}]}",
                 "c.json");
  };
  const auto config = with(R"("price": 0.5, "commit": "20Mbit")");
  REQUIRE(config.has_value());
  CHECK(config->nexthops[0].price == 0.5);
  CHECK(config->nexthops[0].commit_bit_s == 20'000'000);
  CHECK(fault(with(R"("commit": "101Mbit")")).find("is more than the capacity") !=
        std::string::npos);
  CHECK(fault(with(R"("price": -1)")).find("price") != std::string::npos);
}

TEST_CASE("DSCPs are numbers and names, and all of a match share a rule", "[config][classes]") {
  const auto rules = rules_of(R"({"dscp": ["EF", "AF41", "CS1", 1, "BE", "AF13"]})");
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].dscp == (1ULL << 46 | 1ULL << 34 | 1ULL << 8 | 1ULL << 1 | 1ULL | 1ULL << 14));
  CHECK(rules[0].traffic_class == 1);
  CHECK_FALSE(rules[0].destination_port);
}

TEST_CASE("every combination of ends and ports is a rule", "[config][classes]") {
  const auto rules = rules_of(R"({"protocol": "udp", "source": ["10.0.0.0/8", "2001:db8::/32"],
      "destination": ["192.0.2.0/24"], "ports": ["5060", "10000-20000", 53]})");
  REQUIRE(rules.size() == 3);  // nothing goes from IPv6 to IPv4
  for (const ClassRule& rule : rules) {
    CHECK(rule.protocol == IPPROTO_UDP);
    CHECK(rule.source == Prefix::parse("10.0.0.0/8"));
    CHECK_FALSE(rule.source_port);
  }
  CHECK(rules[0].destination_port == PortRange{5060, 5060});
  CHECK(rules[1].destination_port == PortRange{10000, 20000});
  CHECK(rules[2].destination_port == PortRange{53, 53});
}

TEST_CASE("classes are numbered as they are listed, and their rules keep the order",
          "[config][classes]") {
  const auto config = parse(R"({"classes": [
      {"name": "voice", "match": [{"dscp": [46]}, {"protocol": "icmp"}], "policy": "latency"},
      {"name": "bulk", "match": [{"protocol": "tcp", "source_ports": ["873"]}]}]})",
                            "c.json");
  REQUIRE(config.has_value());
  REQUIRE(config->class_rules.size() == 3);
  CHECK(config->class_rules[1].protocol == IPPROTO_ICMP);
  CHECK(config->class_rules[1].traffic_class == 1);
  CHECK(config->class_rules[2].traffic_class == 2);
  CHECK(config->class_rules[2].source_port == PortRange{873, 873});
  CHECK(config->classes[0].terms.policy->name == "latency");
  CHECK_FALSE(config->classes[1].terms.policy);
}

TEST_CASE("a match that cannot be is refused, with what to write", "[config][classes]") {
  const auto [match, remedy] = GENERATE(table<const char*, const char*>({
      {"{}", "names nothing"},
      {R"({"dscp": []})", "at least"},
      {R"({"dscp": ["AF51"]})", "is no DSCP"},
      {R"({"dscp": [64]})", "is no DSCP"},
      {R"({"dscp": [-1]})", "is no DSCP"},
      {R"({"protocol": "gre"})", "\"icmp\""},
      {R"({"protocol": "icmp", "ports": ["1"]})", "ICMP has no ports"},
      {R"({"ports": ["0"]})", "is no port"},
      {R"({"ports": ["65536"]})", "is no port"},
      {R"({"ports": ["20-10"]})", "is no port"},
      {R"({"ports": ["http"]})", "is no port"},
      {R"({"ports": ["1-"]})", "is no port"},
      {R"({"source": ["10.0.0.0/8"], "destination": ["2001:db8::/32"]})", "IPv4 to IPv6"},
      {R"({"source": ["10.0.0.1/8"]})", "10.0.0.1/8"},
  }));
  const std::string message = fault(with_match(match));
  INFO(message);
  CHECK(message.find("classes[0].match[0]") != std::string::npos);
  CHECK(message.find(remedy) != std::string::npos);
}

TEST_CASE("too many classes or rules are told by their number", "[config][classes]") {
  std::string ports;
  for (int port = 1; port <= 33; ++port)
    ports += (port == 1 ? "\"" : ", \"") + std::to_string(port) + '"';
  CHECK(fault(with_match(R"({"ports": [)" + ports + "]}")).find("make 33 rules") !=
        std::string::npos);
  CHECK(fault(with_match(R"({"ports": [)" + ports + R"(], "source_ports": [)" + ports + "]}"))
            .find("make 1089 rules") != std::string::npos);
  std::string classes;
  for (int i = 0; i < 8; ++i)
    classes += (i == 0 ? "" : ", ") + std::string(R"({"name": "c)") + std::to_string(i) +
               R"(", "match": [{"dscp": [)" + std::to_string(i) + "]}]}";
  CHECK(fault(parse("{\"classes\": [" + classes + "]}", "c")).find("are 8; at most 7 fit") !=
        std::string::npos);
  CHECK(fault(parse(R"({"classes": [{"name": "c", "match": [{"dscp": [1]}]},
                                    {"name": "c", "match": [{"dscp": [2]}]}]})",
                    "c"))
            .find("another class' name") != std::string::npos);
}
