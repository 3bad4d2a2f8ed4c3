#include "core/model/address.hpp"

#include "test/catch.hpp"

using hopwise::Family;
using hopwise::IpAddress;
using hopwise::Prefix;

TEST_CASE("addresses of both families survive the way through text", "[model]") {
  for (const char* text : {"0.0.0.0", "203.0.113.9", "::", "2001:db8::1", "fe80::1"}) {
    const auto address = IpAddress::parse(text);
    REQUIRE(address);
    CHECK(address->text() == text);
  }
  for (const char* text : {"", "10.0.0", "10.0.0.256", "2001:db8::g", "10.0.0.1/24", " 10.0.0.1"})
    CHECK_FALSE(IpAddress::parse(text));
  CHECK_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0x", 10)));
}

TEST_CASE("link-local and unspecified addresses are recognised", "[model]") {
  CHECK(IpAddress::parse("fe80::1")->is_link_local());
  CHECK(IpAddress::parse("febf::1")->is_link_local());
  CHECK_FALSE(IpAddress::parse("fec0::1")->is_link_local());
  CHECK(IpAddress::parse("169.254.0.1")->is_link_local());
  CHECK(IpAddress::parse("::")->is_unspecified());
  CHECK_FALSE(IpAddress::parse("::1")->is_unspecified());
}

TEST_CASE("a prefix with bits beyond its length is refused", "[model]") {
  CHECK(Prefix::parse("203.0.113.0/24"));
  CHECK(Prefix::parse("0.0.0.0/0"));
  CHECK(Prefix::parse("2001:db8::/32"));
  for (const char* text : {"203.0.113.1/24", "203.0.113.0", "203.0.113.0/33", "203.0.113.0/",
                           "203.0.113.0/-1", "203.0.113.0/2x", "2001:db8::1/64", "::/129"})
    CHECK_FALSE(Prefix::parse(text));
}

TEST_CASE("a prefix contains what shares its leading bits, of its own family", "[model]") {
  const auto prefix = *Prefix::parse("203.0.112.0/21");
  CHECK(prefix.contains(*IpAddress::parse("203.0.119.255")));
  CHECK_FALSE(prefix.contains(*IpAddress::parse("203.0.120.0")));
  CHECK(prefix.contains(*Prefix::parse("203.0.113.0/24")));
  CHECK_FALSE(prefix.contains(*Prefix::parse("203.0.0.0/16")));
  CHECK_FALSE(Prefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
  CHECK(Prefix::covering(*IpAddress::parse("203.0.113.9"), 21) == prefix);
}
