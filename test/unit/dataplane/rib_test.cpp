#include "core/dataplane/rib.hpp"

#include <random>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise::dataplane;

TEST_CASE("the covering prefix is the longest of the lengths asked for", "[rib]") {
  Rib<Address4> rib;
  for (const int length : {0, 8, 16, 19, 20, 21, 24, 32})
    CHECK(rib.set(0x0a010203u & leading<Address4>(length), length,
                  static_cast<std::uint16_t>(100 + length)));
  const auto longest = [&](Address4 address, int from, int to) {
    const auto* node = rib.cover(address, {from, to});
    return node == nullptr ? -1 : int{node->length};
  };
  CHECK(longest(0x0a010203, 0, 32) == 32);
  CHECK(longest(0x0a010203, 0, 31) == 24);
  CHECK(longest(0x0a010203, 1, 20) == 20);
  CHECK(longest(0x0a010203, 1, 19) == 19);
  CHECK(longest(0x0a010203, 9, 15) == -1);
  CHECK(longest(0x0a010204, 0, 32) == 24);
  CHECK(longest(0x0b000000, 0, 32) == 0);
  CHECK(longest(0x0b000000, 1, 32) == -1);
  CHECK_FALSE(rib.set(0x0a000000, 8, 108));
  CHECK(rib.set(0x0a000000, 8, 109));
  CHECK(rib.cover(0x0aff0000, {0, 32})->group == 109);
}

TEST_CASE("prefixes that come and go take no more memory than those that stay", "[rib]") {
  Rib<Address6> rib;
  std::mt19937 random(3);
  std::vector<std::pair<Address6, int>> prefixes;
  while (prefixes.size() < 5000) {
    const int length = static_cast<int>(random() % 129);
    const Address6 address = Address6{random() % 8} << 125 | Address6{random() % 65536} << 96 |
                             Address6{random() % 65536};
    if (rib.set(address & leading<Address6>(length), length, 1))
      prefixes.emplace_back(address & leading<Address6>(length), length);
  }
  const std::size_t bytes = rib.bytes();
  for (int round = 0; round < 20; ++round) {
    for (const auto& [address, length] : prefixes) REQUIRE(rib.remove(address, length));
    CHECK(rib.size() == 0);
    for (const auto& [address, length] : prefixes) {
      CHECK_FALSE(rib.remove(address, length));
      REQUIRE(rib.set(address, length, 1));
    }
  }
  CHECK(rib.bytes() == bytes);
  CHECK(rib.size() == prefixes.size());
}
