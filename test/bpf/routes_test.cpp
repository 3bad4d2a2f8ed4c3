// The route table on tries that are full.
#include "core/dataplane/routes.hpp"

#include <bpf/bpf.h>

#include "bpf/abi.h"
#include "core/dataplane/handle.hpp"
#include "test/bpf/router.hpp"
#include "test/catch.hpp"

using namespace hopwise;
using dataplane::Handle;
using dataplane::RouteTable;

namespace {

Handle trie(std::uint32_t key_bytes, std::uint32_t entries) {
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = BPF_F_NO_PREALLOC;
  Handle map(bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "trie", key_bytes, 4, entries, &options));
  REQUIRE(map);
  return map;
}

Prefix prefix(const std::string& text) {
  return *Prefix::parse(text);
}

}  // namespace

TEST_CASE("a route that does not fit is an error, is remembered, and goes in later", "[bpf]") {
  const Handle v4 = trie(sizeof(hw_route4), 3), v6 = trie(sizeof(hw_route6), 3);
  RouteTable routes(v4.fd(), v6.fd());
  for (const char* text : {"10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"})
    REQUIRE(routes.set(prefix(text), 1));
  const auto refused = routes.set(prefix("10.3.0.0/16"), 7);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("install route 10.3.0.0/16: "));
  CHECK(routes.waiting() == 1);
  CHECK(routes.find(*IpAddress::parse("10.3.0.1"))->prefix == prefix("10.0.0.0/8"));

  routes.retry(10);
  CHECK(routes.waiting() == 1);
  REQUIRE(routes.remove(prefix("10.1.0.0/16")));
  routes.retry(10);
  CHECK(routes.waiting() == 0);
  CHECK(routes.find(*IpAddress::parse("10.3.0.1"))->group == 7);
  CHECK(routes.find(*IpAddress::parse("10.1.0.1"))->group == 1);
  CHECK_FALSE(routes.find(*IpAddress::parse("11.0.0.1")));

  SECTION("a route that waits and is then not wanted is forgotten") {
    REQUIRE_FALSE(routes.set(prefix("10.4.0.0/16"), 1));
    REQUIRE(routes.remove(prefix("10.4.0.0/16")));
    CHECK(routes.waiting() == 0);
  }
}

TEST_CASE("a route table finds again what was in the tries", "[bpf]") {
  const Handle v4 = trie(sizeof(hw_route4), 1000), v6 = trie(sizeof(hw_route6), 1000);
  RouteTable before(v4.fd(), v6.fd());
  REQUIRE(before.set(prefix("0.0.0.0/0"), 3));
  REQUIRE(before.set(prefix("203.0.113.7/32"), 0));
  REQUIRE(before.set(prefix("::/0"), 4));
  REQUIRE(before.set(prefix("2001:db8::/33"), 5));
  RouteTable after(v4.fd(), v6.fd());
  for (const char* text : {"203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8:8000::1"}) {
    const auto address = *IpAddress::parse(text);
    CHECK(after.find(address)->prefix == before.find(address)->prefix);
    CHECK(after.find(address)->group == before.find(address)->group);
  }
  REQUIRE(after.sweep([](const Prefix& p) { return p.length != 0; }));
  CHECK_FALSE(after.find(*IpAddress::parse("203.0.113.8")));
  CHECK(after.find(*IpAddress::parse("203.0.113.7")));
}
