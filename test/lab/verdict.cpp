// The verdict on a steered run: what it had to show, and whether it did.
#include <cstdio>

#include "test/lab/report.hpp"

namespace hopwise::lab {

namespace {

constexpr double kBrownoutLimit = 3;     // seconds
constexpr double kBlackHoleLimit = 1;    // seconds
constexpr double kNothingToMove = 0.02;  // share of new flows
constexpr int kTurnsAllowed = 1;         // of a weight on its way back; more is flapping

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

Check moved_in_time(const RunRecord& run, const EventReport& event) {
  const auto& name = run.upstreams[event.event.upstream];
  const double limit = event.event.black_hole ? kBlackHoleLimit : kBrownoutLimit;
  Check check{.name = format("traffic leaves %s within %g s of %s", name.c_str(), limit,
                             event.event.what.c_str())};
  if (!event.event.black_hole && event.share_before < kNothingToMove) {
    check.passed = true;
    check.detail = "nothing was there to move";
  } else {
    check.passed = event.moved_s && *event.moved_s <= limit;
    check.detail = event.moved_s ? format("%.1f s", *event.moved_s) : "never";
  }
  return check;
}

Check came_back(const RunRecord& run, const EventReport& event) {
  const auto& back = *event.back;
  Check check{.name = "traffic comes back to " + run.upstreams[event.event.upstream] +
                      " without flapping"};
  check.passed = back.after_s && back.reversals <= kTurnsAllowed;
  check.detail = back.after_s ? format("after %.1f s, ", *back.after_s) : "not yet, ";
  check.detail +=
      format("%.0f %% of new flows at the end, %d turns", 100 * back.share_at_end, back.reversals);
  return check;
}

}  // namespace

std::vector<Check> judge(const RunRecord& run, const Report& report) {
  std::vector<Check> checks;
  std::size_t lost = report.short_flows_lost + report.long_flows_lost;
  for (const auto& event : report.events) {
    if (event.event.worsens) checks.push_back(moved_in_time(run, event));
    // Traffic has no reason to come back to an upstream that is farther than another.
    if (event.back && event.event.nearest) checks.push_back(came_back(run, event));
    lost -= event.flows_lost;  // those that met a bad upstream
  }
  checks.push_back(
      {"no flow of a healthy upstream is lost", lost == 0,
       format("%zu of %zu", lost, report.short_flows + run.traffic.long_flows.size())});
  const std::size_t begun = report.short_flows - report.short_flows_lost;
  checks.push_back({"flows complete", begun > 0, format("%zu short flows", begun)});
  return checks;
}

}  // namespace hopwise::lab
