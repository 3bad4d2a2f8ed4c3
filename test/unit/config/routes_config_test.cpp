#include "core/config/routes_config.hpp"

#include "core/config/config.hpp"
#include "test/catch.hpp"

using namespace hopwise;

namespace {

std::string fault_of(const std::string& routes) {
  const auto config = config::parse("{\"routes\": " + routes + "}", "f");
  return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("which routes are followed is configured") {
  const auto config = config::parse(
      R"({"routes": {"vrf": "customers", "protocols": ["bgp", "12", "99"], "receive_buffer": 8192}})",
      "f");
  REQUIRE(config.has_value());
  CHECK(config->routes.vrf == "customers");
  CHECK(config->routes.protocols == std::vector<std::uint8_t>{186, 12, 99});
  CHECK(config->routes.receive_buffer_bytes == 8192);
  const auto plain = config::parse("{}", "f");
  REQUIRE(plain.has_value());
  CHECK(plain->routes.protocols.empty());
  CHECK(plain->routes.table == 254);
}

TEST_CASE("protocols go by iproute2's names") {
  CHECK(config::protocol_text(186) == "bgp");
  CHECK(config::protocol_text(99) == "99");
  CHECK(config::parse_protocol("bird").value() == 12);
}

TEST_CASE("routes that cannot be followed are a fault with its place") {
  CHECK(fault_of(R"({"protocols": ["bpg"]})").find("is no routing protocol") != std::string::npos);
  CHECK(fault_of(R"({"protocols": ["256"]})").find("is no routing protocol") != std::string::npos);
  CHECK(fault_of(R"({"vrf": "customers", "table": 10})").find("a table of its own") !=
        std::string::npos);
  CHECK(fault_of(R"({"receive_buffer": 100})").find("receive_buffer") != std::string::npos);
}
