// test/bench/engine: how near the scoring engine comes to the optimum, how soon it acts, and what
// it costs. All of it on simulated time: no network, no traffic.
#include <array>

#include "test/bench/run.hpp"

int main(int argc, char** argv) {
  using namespace hopwise::bench;
  constexpr std::array<Part, 2> kParts{{{"scenarios", measure_scenarios}, {"tick", measure_tick}}};
  return run_parts(argc, argv, "Benchmarks of hopwise's scoring engine, on simulated time.", kParts,
                   Needs::nothing);
}
