#include "core/api/endpoint.hpp"

#include "test/catch.hpp"

using hopwise::api::Endpoint;

TEST_CASE("an endpoint survives writing and reading") {
  for (const char* text : {"127.0.0.1:9469", "[::1]:1", "[2001:db8::1]:65535", "0.0.0.0:0"}) {
    const auto endpoint = Endpoint::parse(text);
    REQUIRE(endpoint.has_value());
    CHECK(endpoint->text() == text);
  }
  for (const char* text : {"", ":", "1:2", "::1:9469", "[127.0.0.1]:1", "127.0.0.1:65536", "[::1]",
                           "127.0.0.1:+1", "127.0.0.1: 1", "[]:1"})
    CHECK(!Endpoint::parse(text));
}

TEST_CASE("loopback is all of 127/8, and ::1") {
  CHECK(Endpoint::parse("127.255.0.1:1")->is_loopback());
  CHECK(Endpoint::parse("[::1]:1")->is_loopback());
  CHECK(!Endpoint::parse("128.0.0.1:1")->is_loopback());
  CHECK(!Endpoint::parse("[::]:1")->is_loopback());
}
