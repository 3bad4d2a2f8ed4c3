// What many routers do by script, for comparison: all traffic to the upstream of the lowest
// round-trip time, asked each second.
#pragma once

#include "test/lab/lab.hpp"

namespace hopwise::lab {

/// Pings the far end of every emulated link through its upstream and moves the service prefix's
/// route (IPv4) to the fastest, until it is destroyed.
Result<Process> start_greedy(Lab& lab);

}  // namespace hopwise::lab
