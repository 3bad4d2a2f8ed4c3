#include "core/model/anchor.hpp"

#include "test/catch.hpp"

using namespace hopwise;

TEST_CASE("an anchor's text is read back as the same anchor", "[model]") {
  for (const char* text :
       {"203.0.113.53", "2001:db8::53", "tcp://203.0.113.53:443", "stamp://[2001:db8::1]:862",
        "http://192.0.2.1:8080", "https://[2001:db8::2]:443"}) {
    const auto anchor = Anchor::parse(text);
    REQUIRE(anchor.has_value());
    CHECK(anchor->text() == text);
  }
}

TEST_CASE("the usual port may be left out", "[model]") {
  CHECK(Anchor::parse("stamp://192.0.2.1")->port == 862);
  CHECK(Anchor::parse("http://[2001:db8::1]")->port == 80);
  CHECK(Anchor::parse("https://192.0.2.1")->port == 443);
}

TEST_CASE("what is no anchor is refused with an example", "[model]") {
  for (const char* text :
       {"", "example.net", "tcp://192.0.2.1", "tcp://192.0.2.1:0", "tcp://192.0.2.1:65536",
        "tcp://192.0.2.1:443x", "ftp://192.0.2.1", "icmp://192.0.2.1", "http://example.net",
        "stamp://2001:db8::1", "stamp://[2001:db8::1", "tcp://[2001:db8::1]443x", "://"}) {
    INFO(text);
    const auto anchor = Anchor::parse(text);
    REQUIRE(anchor.has_error());
    CHECK(anchor.error().message.find('"' + std::string(text) + '"') == 0);
  }
}
