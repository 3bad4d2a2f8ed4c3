// test/bench/routes: hopwise beside a routing daemon with the Internet's table.
#include <array>

#include "test/bench/run.hpp"

int main(int argc, char** argv) {
  using namespace hopwise::bench;
  constexpr std::array<Part, 4> kParts{{{"start", measure_follow_start},
                                        {"rate", measure_follow_rate},
                                        {"update", measure_follow_update},
                                        {"failure", measure_follow_failure}}};
  return run_parts(argc, argv,
                   "hopwise, with 1.2 million routes to follow: start, memory, updates, failures. "
                   "Needs root; everything stays in network namespaces of its own.",
                   kParts);
}
