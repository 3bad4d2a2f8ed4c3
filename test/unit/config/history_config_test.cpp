#include "core/config/config.hpp"
#include "test/catch.hpp"

using namespace hopwise;

namespace {

std::string fault_of(const std::string& history) {
  const auto config = config::parse("{\"history\": " + history + "}", "f");
  return config ? "" : config.error().message;
}

}  // namespace

TEST_CASE("where the history stands, and how long it may be, is configured") {
  const auto config =
      config::parse(R"({"history": {"file": "/var/log/hopwise.jsonl", "size": "500kB"}})", "f");
  REQUIRE(config.has_value());
  CHECK(config->history.file == "/var/log/hopwise.jsonl");
  CHECK(config->history.size_bytes == 500'000);
  CHECK(config::parse("{}", "f")->history == config::History{});
  CHECK(config::parse(R"({"history": {"file": ""}})", "f")->history.file.empty());
  CHECK(config::parse(R"({"history": {"size": "1GB"}})", "f")->history.size_bytes == 1'000'000'000);
}

TEST_CASE("a history that cannot be is a fault with its place") {
  CHECK(fault_of(R"({"file": "events"})").find("must be an absolute path") != std::string::npos);
  for (const char* size : {"16", "16MiB", "-1MB", "1.5MB", "MB", "99999999999999999999MB"})
    CHECK(fault_of("{\"size\": \"" + std::string(size) + "\"}").find("is no size") !=
          std::string::npos);
  CHECK(fault_of(R"({"size": "99kB"})").find("out of range") != std::string::npos);
  CHECK(fault_of(R"({"size": "2GB"})").find("f:1:22: history.size") != std::string::npos);
}
