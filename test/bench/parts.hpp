// The parts of the benchmarks. Each adds its tables and targets to the report, and throws what
// keeps it from doing so. They run as root, and leave nothing behind.
#pragma once

#include "test/bench/report.hpp"

namespace hopwise::bench {

/// `quick` is for seeing that everything works: fewer runs, fewer cases, smaller tables.
enum class Effort : std::uint8_t { quick, full };

void measure_routes(Report& report, Effort effort);   // routes.cpp
void measure_packet(Report& report, Effort effort);   // packet.cpp
void measure_forward(Report& report, Effort effort);  // forward.cpp
void measure_rtt(Report& report, Effort effort);      // rtt.cpp

void measure_probe_rate(Report& report, Effort effort);     // probe_rate.cpp
void measure_many_nexthops(Report& report, Effort effort);  // probe_many.cpp
void measure_probe_truth(Report& report, Effort effort);    // probe_truth.cpp
void measure_detection(Report& report, Effort effort);      // probe_detection.cpp
void measure_noise(Report& report, Effort effort);          // probe_noise.cpp

void measure_scenarios(Report& report, Effort effort);  // engine_scenarios.cpp
void measure_tick(Report& report, Effort effort);       // engine_tick.cpp

void measure_follow_start(Report& report, Effort effort);    // follow_start.cpp
void measure_follow_rate(Report& report, Effort effort);     // follow_rate.cpp
void measure_follow_update(Report& report, Effort effort);   // follow_update.cpp
void measure_follow_failure(Report& report, Effort effort);  // follow_failure.cpp

/// One line on stderr.
void progress(const std::string& text);

}  // namespace hopwise::bench
