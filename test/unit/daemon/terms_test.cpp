#include "core/daemon/terms.hpp"

#include <array>

#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

const Nexthop kA{NexthopId{3}, {1, *IpAddress::parse("192.0.2.1")}, "eth1", "isp-a"};
const Nexthop kB{NexthopId{5}, {2, *IpAddress::parse("198.51.100.1")}, "eth2", "isp-b"};

config::Config voice_and_bulk() {
  config::Config config;
  config.engine.policy = *engine::policy_named("throughput");
  config::GroupConfig group{"internet", {"isp-a", "isp-b"}, {}, 50ms, {}};
  group.terms.policy = engine::policy_named("cost");
  group.terms.revert = false;
  group.terms.prefer = {{"198.51.100.1", 4ms}, {"isp-c", 9ms}};
  config.groups = {group};
  config::ClassConfig voice{"voice", {}}, bulk{"bulk", {}};
  voice.terms.policy = engine::policy_named("latency");
  voice.terms.objectives = engine::Objectives{.max_latency = 150ms};
  bulk.terms.prefer = std::vector<config::PreferenceConfig>{};
  bulk.terms.mode = engine::Mode::dry_run;
  config.classes = {voice, bulk};
  return config;
}

}  // namespace

TEST_CASE("a group that no entry names has the default policy and nothing more",
          "[daemon][classes]") {
  config::Config config = voice_and_bulk();
  config.groups[0].nexthops = {"isp-a"};
  const auto terms = terms_of(Variant{}, {&kA, &kB}, config);
  CHECK(terms == engine::GroupTerms{.policy = *engine::policy_named("throughput")});
}

TEST_CASE("a group's preferences name nexthops that it has", "[daemon][classes]") {
  const auto terms = terms_of(Variant{}, {&kA, &kB}, voice_and_bulk());
  CHECK(terms.policy.name == "cost");
  CHECK_FALSE(terms.revert);
  CHECK(terms.preferences == std::vector<engine::Preference>{{NexthopId{5}, 4ms}});
  CHECK(terms.mode == engine::Mode::steer);
}

TEST_CASE("a class asks its own terms first, then its group's, key by key", "[daemon][classes]") {
  const config::Config config = voice_and_bulk();
  const auto voice = terms_of(Variant{1}, {&kA, &kB}, config);
  CHECK(voice.policy.name == "latency");
  CHECK(voice.objectives.max_latency == 150ms);
  CHECK(voice.preferences.size() == 1);
  CHECK_FALSE(voice.revert);
  const auto bulk = terms_of(Variant{2}, {&kA, &kB}, config);
  CHECK(bulk.policy.name == "cost");
  CHECK(bulk.preferences.empty());
  CHECK(bulk.mode == engine::Mode::dry_run);
  // One that is not configured any more is its group's own traffic.
  CHECK(terms_of(Variant{3}, {&kA, &kB}, config) == terms_of(Variant{}, {&kA, &kB}, config));
}

TEST_CASE("the command line's dry run holds for every group", "[daemon][classes]") {
  config::Config config = voice_and_bulk();
  config.dry_run = true;
  for (const std::uint8_t traffic_class : std::array<std::uint8_t, 3>{0, 1, 2})
    CHECK(terms_of(Variant{traffic_class}, {&kA, &kB}, config).mode == engine::Mode::dry_run);
}

TEST_CASE("a nexthop's terms are what its entry says", "[daemon][classes]") {
  CHECK(terms_of(nullptr) == engine::NexthopTerms{});
  config::NexthopConfig told;
  told.price = 0.25;
  CHECK(terms_of(&told) == engine::NexthopTerms{.price = 0.25});
  told.capacity_bit_s = 500'000'000;
  told.commit_bit_s = 100'000'000;
  CHECK(terms_of(&told) == engine::NexthopTerms{engine::Capacity{5e8, true}, 1e8, 0.25});
}

TEST_CASE("a class is told by its name", "[daemon][classes]") {
  const config::Config config = voice_and_bulk();
  CHECK(class_name(Variant{}, config).empty());
  CHECK(class_name(Variant{2}, config) == "bulk");
  CHECK(class_name(Variant{7}, config).empty());
}

namespace {

config::Config classes_named(const std::vector<std::string>& names) {
  config::Config config;
  for (const std::string& name : names) {
    config.classes.push_back({name, {}});
    ClassRule rule;
    rule.traffic_class = static_cast<std::uint8_t>(config.classes.size());
    config.class_rules.push_back(rule);
  }
  return config;
}

// "voice bulk": the classes by their numbers, then each rule's class.
std::string numbered(const config::Config& config) {
  std::string said;
  for (const config::ClassConfig& traffic : config.classes)
    said += (traffic.name.empty() ? "-" : traffic.name) + ' ';
  for (const ClassRule& rule : config.class_rules) said += std::to_string(rule.traffic_class);
  return said;
}

std::string renumbered(const std::vector<std::string>& wanted,
                       const std::vector<std::string>& running) {
  return numbered(with_class_numbers(classes_named(wanted), classes_named(running)));
}

}  // namespace

TEST_CASE("a class keeps its number by its name, while rules keep their order",
          "[daemon][classes]") {
  CHECK(renumbered({"voice", "bulk"}, {"voice", "bulk"}) == "voice bulk 12");
  CHECK(renumbered({"bulk", "voice"}, {"voice", "bulk"}) == "voice bulk 21");
  CHECK(renumbered({"bulk"}, {"voice", "bulk"}) == "- bulk 2");
  CHECK(renumbered({}, {"voice", "bulk"}).empty());
  CHECK(renumbered({"voice"}, {}) == "voice 1");
}

TEST_CASE("a new class takes a number that nobody had, while there is one", "[daemon][classes]") {
  CHECK(renumbered({"video", "bulk"}, {"voice", "bulk"}) == "- bulk video 32");
  CHECK(renumbered({"video", "bulk"}, {"", "bulk"}) == "video bulk 12");
  CHECK(renumbered({"x", "b", "c", "d", "e", "f", "g"}, {"a", "b", "c", "d", "e", "f", "g"}) ==
        "x b c d e f g 1234567");
}
