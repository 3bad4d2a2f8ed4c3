#include "core/config/config.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using routes::OfferPolicy;

namespace {

constexpr const char* kBgp =
    R"("bgp": {"as": 65000, "router_id": "192.0.2.250", "peers": [{"address": "127.0.0.1"}]})";

Result<config::Config> parse(const std::string& candidates) {
  return config::parse(std::string("{") + kBgp + ", \"candidates\": " + candidates + "}", "f");
}
std::string fault_of(const std::string& candidates) {
  const auto config = parse(candidates);
  return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("which candidates may carry is configured", "[candidates]") {
  const auto config = parse(R"({"from": "bgp", "as_path": "shorter_or_same",
    "local_pref_floor": 90, "communities": {"any_of": ["65000:100"], "none_of": ["0:7", "65535:0"]},
    "only": ["198.51.100.0/24"], "except": ["198.51.100.128/25"], "max_per_prefix": 2})");
  REQUIRE(config.has_value());
  const OfferPolicy& policy = config->candidates;
  CHECK(policy.from == OfferPolicy::From::bgp);
  CHECK(policy.as_path == OfferPolicy::AsPath::shorter_or_same);
  CHECK(policy.local_pref_floor == 90U);
  CHECK(policy.any_of == std::vector{65000U << 16 | 100});
  CHECK(policy.none_of == std::vector{7U, 0xffff0000U});
  CHECK(policy.only.size() == 1);
  CHECK(policy.except.size() == 1);
  CHECK(policy.max_per_prefix == 2);
  CHECK(config::parse("{}", "f")->candidates == OfferPolicy{});
  CHECK_FALSE(parse(R"({"local_pref_floor": "best"})")->candidates.local_pref_floor);
}

TEST_CASE("candidates that cannot be are faults with their place", "[candidates]") {
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    return text.find(part) != std::string::npos;
  };
  CHECK(has(fault_of(R"({"from": "bmp"})"), "candidates.from"));
  CHECK(has(fault_of(R"({"as_path": "longer"})"), "candidates.as_path"));
  CHECK(has(fault_of(R"({"local_pref_floor": "worst"})"), "candidates.local_pref_floor"));
  CHECK(has(fault_of(R"({"local_pref_floor": -1})"), "candidates.local_pref_floor"));
  for (const char* wrong : {"65000", "65000:", ":1", "65536:1", "1:65536", "a:b", "1:2:3"})
    CHECK(has(fault_of(R"({"communities": {"any_of": [")" + std::string(wrong) + R"("]}})"),
              "is no community (write \"65000:100\")"));
  CHECK(has(fault_of(R"({"max_per_prefix": 0})"), "candidates.max_per_prefix"));
  CHECK(has(fault_of(R"({"max_per_prefix": 16})"), "candidates.max_per_prefix"));
  const auto alone = config::parse(R"({"candidates": {"from": "bgp"}})", "f");
  REQUIRE_FALSE(alone.has_value());
  CHECK(has(alone.error().message, "nobody tells of it"));
}
