#include "core/config/config.hpp"
#include "core/config/reader.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::config;

namespace {

Result<Config> with_capacity(const std::string& value) {
  return parse(R"({"nexthops": [{"gateway": "192.0.2.1", "capacity": )" + value + "}]}", "c.json");
}

}  // namespace

TEST_CASE("a nexthop's capacity is a rate with its unit", "[config]") {
  const auto [text, bit_s] = GENERATE(table<const char*, std::uint64_t>({
      {"\"1Gbit\"", 1'000'000'000},
      {"\"500Mbit\"", 500'000'000},
      {"\"1.5Mbit\"", 1'500'000},
      {"\"8000bit\"", 8'000},
      {"\"0.1Tbit\"", 100'000'000'000},
  }));
  const auto config = with_capacity(text);
  INFO((config ? "" : config.error().message));
  REQUIRE(config.has_value());
  CHECK(config->nexthops[0].capacity_bit_s == bit_s);
}

TEST_CASE("a capacity that is none says what to write", "[config]") {
  const auto [text, remedy] = GENERATE(table<const char*, const char*>({
      {"500", "\"500Mbit\""},
      {"\"500\"", "write bit, kbit, Mbit"},
      {"\"500mbit\"", "write bit, kbit, Mbit"},
      {"\"fast\"", "\"500Mbit\""},
      {"\"-1Mbit\"", "is no rate"},
      {"\"7kbit\"", "from 8kbit to 100Tbit"},
      {"\"1000Tbit\"", "from 8kbit to 100Tbit"},
      {"\"1e400Gbit\"", "rate"},
  }));
  const auto config = with_capacity(text);
  REQUIRE(config.has_error());
  INFO(config.error().message);
  CHECK(config.error().message.find(remedy) != std::string::npos);
  CHECK(config.error().message.find("nexthops[0].capacity") != std::string::npos);
}

TEST_CASE("without a capacity nothing is known of it, and a rate is told in its largest unit",
          "[config]") {
  CHECK_FALSE(
      parse(R"({"nexthops": [{"gateway": "192.0.2.1"}]})", "c.json")->nexthops[0].capacity_bit_s);
  CHECK(bit_rate_text(1'500'000) == "1500kbit");
  CHECK(bit_rate_text(0) == "0bit");
}
