// The loop closed through loads that are known: the slow law stops in the interior and stays.
#include <cstdio>

#include "core/engine/load.hpp"
#include "test/catch.hpp"
#include "test/unit/engine/loop.hpp"

using namespace hopwise;
using namespace hopwise::engine;

TEST_CASE("1200 Mb/s over 1000 at 20 ms and 500 at 25 settle within 2 % of the oracle",
          "[engine][law]") {
  for (const double lifetime : {0.5, 10.0}) {
    Loop loop({{1e9, 20, 100, 0, 1e9}, {500e6, 25, 100, 0, 500e6}},
              {{{0, 1}, 1200e6, lifetime}});
    loop.run(300);
    loop.settle();
    loop.run(1200);
    INFO(loop.log());
    std::printf("  two paths, flows of %4.1f s: %.2f ms (fluid oracle %.2f), loss %.4f, w %.3f\n",
                lifetime, loop.mean_ms(), loop.oracle_ms(), loop.loss(), loop.weight(0, 0));
    CHECK(loop.mean_ms() < 1.02 * loop.oracle_ms());
    CHECK(loop.loss() < 0.001);
    CHECK(loop.reversals() == 0);
  }
}
