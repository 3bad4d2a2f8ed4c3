// A thousand nexthops at the usual pace: share of a core, and what the kernel pays in each look-up
// of a route for the way in which probes are bound.
#include <chrono>
#include <stdexcept>

#include "test/bench/mirror.hpp"
#include "test/bench/parts.hpp"

namespace hopwise::bench {
namespace {

using namespace std::chrono_literals;
constexpr const char* kSection = "many: 1,000 nexthops, five probes a second each";

}  // namespace

void measure_many_nexthops(Report& report, Effort effort) {
  const std::uint32_t nexthops = effort == Effort::full ? 1'000 : 100;
  report.explain(kSection,
                 "One anchor each, on one veth, bound by the staging device; its program and the "
                 "peer's answers are in the CPU time.");
  progress("many: " + std::to_string(nexthops) + " nexthops");
  const Mirror mirror("many", nexthops);
  ProbingPlan plan;
  plan.readiness = mirror.readiness();
  plan.bound = ProbingPlan::Bound::staged;
  plan.warm_up = 4s;
  plan.measured = effort == Effort::full ? 20s : 3s;
  for (std::uint32_t n = 0; n < nexthops; ++n)
    plan.targets.push_back({mirror.nexthop(n), {probes::AnchorSpec(Mirror::anchor(n))}});
  const Probing told = probe(mirror.router(), plan);
  if (!told.staged) throw std::runtime_error("probes are bound by a rule each, not staged");
  const auto add = [&](const char* column, double value) {
    report.add(
        {kSection, std::to_string(nexthops) + " nexthops, staged", column, {value, value, value}});
  };
  const double share = 100 * told.cpu_seconds / told.seconds;
  add("probes/s", told.rate());
  add("share of a core, %", share);
  add("us CPU a probe", told.cpu_us_per_probe());
  add("lost", static_cast<double>(told.lost));
  add("void or unsent", static_cast<double>(told.voids + told.unsent));
  add("proved, %", 100.0 * static_cast<double>(told.proved) / static_cast<double>(told.sent));
  report.judge({"many: share of a core", Bound::at_most, 5, share, "%"});
}

}  // namespace hopwise::bench
