#include "core/model/trace.hpp"

#include <algorithm>

namespace hopwise {

double loss_at(const Trace& trace, std::size_t hop) {
  double least = 1;
  for (std::size_t i = hop; i < trace.hops.size(); i++) {
    const TraceHop& each = trace.hops[i];
    if (each.answered() == 0) continue;
    least = std::min(least, 1 - std::min(1.0, static_cast<double>(each.answered()) / each.sent));
  }
  return least;
}

const TraceHop* farthest(const Trace& trace) {
  const TraceHop* found = nullptr;
  for (const TraceHop& hop : trace.hops)
    if (hop.answered() > 0) found = &hop;
  return found;
}

}  // namespace hopwise
