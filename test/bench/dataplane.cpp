// test/bench/dataplane: what the data plane costs, and what it is worth next to others.
#include <array>

#include "test/bench/run.hpp"

int main(int argc, char** argv) {
  using namespace hopwise::bench;
  constexpr std::array<Part, 4> kParts{{{"routes", measure_routes},
                                        {"packet", measure_packet},
                                        {"forward", measure_forward},
                                        {"rtt", measure_rtt}}};
  return run_parts(argc, argv,
                   "Benchmarks of hopwise's data plane. Needs root; all traffic stays in network "
                   "namespaces of its own.",
                   kParts);
}
