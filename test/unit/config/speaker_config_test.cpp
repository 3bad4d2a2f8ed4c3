#include "core/config/config.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using namespace std::chrono_literals;

namespace {

std::string fault_of(const std::string& speaker) {
  const auto config = config::parse("{\"speaker\": " + speaker + "}", "f");
  return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("which routing daemon is watched, and how, is configured", "[speaker]") {
  const auto config = config::parse(
      R"({"speaker": {"kind": "frr", "socket": "/var/run/frr/blue", "check": "5s",
          "timeout": "500ms", "bfd": false}})",
      "f");
  REQUIRE(config.has_value());
  CHECK(config->speaker.kind == SpeakerKind::frr);
  CHECK(config->speaker.socket == "/var/run/frr/blue");
  CHECK(config->speaker.check == 5s);
  CHECK(config->speaker.timeout == 500ms);
  CHECK_FALSE(config->speaker.bfd);
  CHECK_FALSE(config::parse(R"({"speaker": {"kind": "auto"}})", "f")->speaker.kind.has_value());
  CHECK(config::parse(R"({"speaker": {"kind": "none"}})", "f")->speaker.kind == SpeakerKind::none);
  CHECK(config::parse("{}", "f")->speaker == config::Speaker{});
}

TEST_CASE("a routing daemon that cannot be found is a fault with its place", "[speaker]") {
  CHECK_THAT(fault_of(R"({"kind": "gobgp"})"), Catch::Contains("speaker.kind"));
  CHECK_THAT(fault_of(R"({"socket": "/run/bird.ctl"})"), Catch::Contains("needs a \"kind\""));
  CHECK_THAT(fault_of(R"({"kind": "bird", "socket": "bird.ctl"})"), Catch::Contains("absolute"));
  CHECK_THAT(fault_of("{\"kind\": \"bird\", \"socket\": \"/" + std::string(120, 'x') + "\"}"),
             Catch::Contains("at most"));
  CHECK_THAT(fault_of(R"({"check": "1ms"})"), Catch::Contains("speaker.check"));
}
