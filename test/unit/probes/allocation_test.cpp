// Probing allocates nothing once it is under way: all of this binary's memory is counted here.
#include <boost/asio/steady_timer.hpp>

#include "test/catch.hpp"
#include "test/unit/allocations.hpp"
#include "test/unit/probes/bench.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

// At a low rate the loop is woken by replies, at a high one by the wheel alone.
TEST_CASE("a second of probing allocates nothing", "[probes][netns]") {
  NEEDS_ROOT();
  const Duration interval = GENERATE(Duration(20ms), Duration(500us));
  const Lan lan;
  const NetNamespace::Visit visit(lan.router);
  boost::asio::io_context io{1};
  std::uint64_t samples = 0, before = 0, during = 0;
  Options options = fast();
  options.interval = interval;
  options.suspicious_interval = std::min(options.suspicious_interval, interval);
  auto prober =
      Prober::open(io, options, {.samples = [&](auto now_known) { samples += now_known.size(); }});
  REQUIRE(prober.has_value());
  const Anchor tcp(anchor(Family::v4), ProbeKind::tcp, 444);
  REQUIRE((*prober)
              ->set_target({lan.nexthop(1, kV4.a), {Anchor(anchor(Family::v4)), tcp}})
              .has_value());
  (*prober)->set_ready(NexthopId{1}, {true});
  // Within one run, as the probing thread has it: Asio keeps a thread's memory for its next wait.
  boost::asio::steady_timer warm(io, 1s), end(io, 2s);
  warm.async_wait([&](auto) {
    samples = 0;
    before = allocations();
  });
  end.async_wait([&](auto) {
    during = allocations() - before;
    io.stop();
  });
  io.run();
  CHECK(samples >= 50);
  CHECK(during == 0);
}
