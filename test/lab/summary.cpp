// The closing table of a run.
#include <cstdio>

#include "test/lab/report.hpp"

namespace hopwise::lab {

namespace {

template <class... Values>
std::string line(const char* pattern, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return std::string(text) + "\n";
}

void add_latency(std::string& out, const char* when, const Latency& latency) {
  if (latency.flows == 0) return;
  out += line("      flows begun %-6s %5zu, lost %zu, p50 %6.0f ms, p99 %6.0f ms", when,
              latency.flows, latency.lost, 1e3 * latency.p50, 1e3 * latency.p99);
}

void add_event(std::string& out, const RunRecord& run, const EventReport& event) {
  out += line("  %5.1f s  %s: %s", event.event.at, run.upstreams[event.event.upstream].c_str(),
              event.event.what.c_str());
  if (event.event.worsens)
    out += event.moved_s ? line("      traffic left after %.1f s (it had %.0f %% of new flows)",
                                *event.moved_s, 100 * event.share_before)
                         : line("      traffic did not leave (it had %.0f %% of new flows)",
                                100 * event.share_before);
  if (event.back && event.back->after_s)
    out += line("      traffic back after %.1f s, %.0f %% of new flows at the end, %d turns",
                *event.back->after_s, 100 * event.back->share_at_end, event.back->reversals);
  else if (event.back)
    out += line("      traffic not back, %.0f %% of new flows at the end",
                100 * event.back->share_at_end);
  out += line("      packets lost there %llu, elsewhere %llu",
              static_cast<unsigned long long>(event.packets_lost),
              static_cast<unsigned long long>(event.packets_lost_elsewhere));
  if (event.event.worsens)
    out += line("      flows lost that met it %zu, others %zu", event.flows_lost,
                event.flows_lost_elsewhere);
  if (event.flows_caught > 0)
    out += line("      caught under way: %zu flows, the slowest took %.2f s", event.flows_caught,
                event.caught_worst_s);
  add_latency(out, "before", event.before);
  add_latency(out, "during", event.during);
  add_latency(out, "after", event.after);
}

}  // namespace

std::string summary(const RunRecord& run, const Report& report) {
  std::string out =
      line("\n%s, %s, %.0f s", run.scenario.c_str(), text(run.steering), run.duration);
  for (const auto& event : report.events) add_event(out, run, event);
  out += line("  all: %zu short flows, %zu lost, p50 %.0f ms, p99 %.0f ms; %zu decisions",
              report.short_flows, report.short_flows_lost, 1e3 * report.latency.p50,
              1e3 * report.latency.p99, run.decisions.size());
  out += line("       %zu long flows, %zu lost, longest stall %.2f s",
              run.traffic.long_flows.size(), report.long_flows_lost, report.longest_stall);
  out += line(
      "  second half: p50 %.0f ms, p99 %.0f ms, %llu packets dropped by full queues, %d turns",
      1e3 * report.settled.latency.p50, 1e3 * report.settled.latency.p99,
      static_cast<unsigned long long>(report.settled.packets_dropped), report.settled.reversals);
  for (const auto& check : report.checks)
    out += line("  %s  %s: %s", check.passed ? "pass" : "FAIL", check.name.c_str(),
                check.detail.c_str());
  return out;
}

}  // namespace hopwise::lab
