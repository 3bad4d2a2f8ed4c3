#include "probes/schedule/directional.hpp"

#include <algorithm>
#include <random>
#include <vector>

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;

TEST_CASE("a reflector that repeats our numbers says nothing of directions", "[directional]") {
  Directional session;
  for (const std::uint32_t n : {0U, 1U, 5U, 6U, 20U}) session.observe(n, n);
  CHECK_FALSE(session.loss());
}

TEST_CASE("what was lost there and what was lost back is told apart", "[directional]") {
  std::minstd_rand chance(3);
  for (const std::uint32_t first : {0U, 1000U, 0xffffff00U}) {
    Directional session;
    std::uint32_t reply = first - 5;  // the reflector has its own count
    std::uint64_t there = 0, back = 0;
    session.observe(first, reply++);
    for (std::uint32_t i = 1; i <= 1000; i++) {
      const bool last = i == 1000;  // what is lost at the end is not known yet
      if (!last && chance() % 10 == 0) {
        there++;
        continue;
      }
      reply++;
      if (!last && chance() % 5 == 0)
        back++;
      else
        session.observe(first + i, reply - 1);
    }
    REQUIRE(session.loss());
    CHECK(session.loss()->forward == there);
    CHECK(session.loss()->backward == back);
    CHECK(there > 0);
    CHECK(back > 0);
  }
}

TEST_CASE("a reply that was overtaken is no loss in the end", "[directional]") {
  Directional session;
  for (const std::uint32_t n : {0U, 1U, 3U, 2U, 4U}) session.observe(n + 7, n);
  REQUIRE(session.loss());
  CHECK(session.loss()->forward == 0);
  CHECK(session.loss()->backward == 0);
}

TEST_CASE("a reflector that begins anew loses nothing by it", "[directional]") {
  Directional session;
  session.observe(100, 90);
  session.observe(101, 91);
  session.observe(102, 0);
  session.observe(103, 1);
  REQUIRE(session.loss());
  CHECK(session.loss()->forward == 0);
  CHECK(session.loss()->backward == 0);
}
