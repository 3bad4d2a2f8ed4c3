#include "probes/loop/line.hpp"

#include "test/catch.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

TEST_CASE("replies that were dropped are known, whichever flow's socket dropped them",
          "[probes][netns]") {
  NEEDS_ROOT();
  const NetNamespace here;
  const NetNamespace::Visit visit(here);
  const ProbeKind kind = GENERATE(ProbeKind::icmp, ProbeKind::tcp, ProbeKind::stamp);
  const Aims aims;
  const Options options;
  Lines lines(aims, options);
  REQUIRE(lines.open(kind, Family::v4).has_value());
  CHECK_FALSE(lines.dropped(kind, Family::v4));
  const TimePoint at{1000s};
  for (std::uint8_t flow = 0; flow < options.flows; flow++) {
    lines.of(kind, Family::v4, flow).dropped = at + flow * 1s;
    CHECK(lines.dropped(kind, Family::v4) == at + flow * 1s);
  }
  CHECK_FALSE(lines.dropped(kind, Family::v6));
}
