// test/bench/probes: what probing costs, how true it is, and how soon it sees a fault, next to
// others.
#include <array>

#include "test/bench/run.hpp"

int main(int argc, char** argv) {
  using namespace hopwise::bench;
  constexpr std::array<Part, 5> kParts{{{"rate", measure_probe_rate},
                                        {"many", measure_many_nexthops},
                                        {"truth", measure_probe_truth},
                                        {"detection", measure_detection},
                                        {"noise", measure_noise}}};
  return run_parts(argc, argv,
                   "Benchmarks of hopwise's probes. Needs root; all traffic stays in network "
                   "namespaces of its own.",
                   kParts);
}
