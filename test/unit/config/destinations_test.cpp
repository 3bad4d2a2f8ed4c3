#include "core/config/config.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

TEST_CASE("destinations are on unless they are switched off", "[config][destinations]") {
  CHECK(config::parse("{}", "f").value().destinations.count == 256);
  const auto off = config::parse(R"({"destinations": {"count": 0}})", "f");
  REQUIRE(off.has_value());
  CHECK(off->destinations.count == 0);
  const auto some =
      config::parse(R"({"destinations": {"count": 32, "min_share": 0.05, "every": "30s"}})", "f");
  REQUIRE(some.has_value());
  CHECK(some->destinations.count == 32);
  CHECK(some->destinations.min_share == 0.05);
  CHECK(some->destinations.every == 30s);
}

TEST_CASE("destinations that make no sense are faults", "[config][destinations]") {
  for (const char* text :
       {R"({"destinations": {"count": 5000}})", R"({"destinations": {"min_share": 0}})",
        R"({"destinations": {"every": "1ms"}})", R"({"destinations": {"top": 3}})"})
    CHECK_FALSE(config::parse(text, "f").has_value());
}
