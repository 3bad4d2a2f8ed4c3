// What a run's record says: the figures of every event, and the verdict on the steering. Pure.
//
// When has the traffic left?
//  - An upstream gets worse: flows stick, so what can move are the flows begun after the event. A
//    flow counts for the upstream that got its first packet. The traffic has left at the first t
//    (in steps of 100 ms) for which the upstream's share of the flows begun in [t, t + 300 ms) and
//    in [t, next event) are both under a tenth of its share before, and no second after t has a
//    third of it again.
//  - An upstream becomes a black hole: everything can move, and TCP itself falls silent there, so
//    shares say nothing. Of all flows that sent the upstream anything after the event, 90 % have
//    sent their last packet there by then (a bin of 100 ms counts to its end),
//    and of the flows begun later not more than a tenth went there.
// A flow is lost when it fails, not when it is late; its delay shows in the latencies. It is a
// healthy upstream's flow when none of its packets went to an upstream that had been made worse.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "test/lab/record.hpp"

namespace hopwise::lab {

/// Of the short flows begun in some span of time: seconds from the beginning to the answer.
struct Latency {
  std::size_t flows = 0;
  std::size_t lost = 0;
  double p50 = 0;
  double p99 = 0;
  double worst = 0;
};

/// Time until a restored upstream carries a quarter of its old share of new flows, and how often
/// its weight turned round afterwards by more than 0.05.
struct Return {
  double share_before = 0;  // before the first event
  std::optional<double> after_s{};
  double share_at_end = 0;  // in the last two seconds before the next event
  int reversals = 0;
};

struct EventReport {
  EventDone event;
  double until = 0;         // the next event, or the end
  double share_before = 0;  // the upstream's share of new flows in the 3 s before
  std::optional<double> moved_s{};
  std::uint64_t packets_lost = 0;  // by the upstream's link, until the next event
  std::uint64_t packets_lost_elsewhere = 0;
  std::size_t flows_lost = 0;  // short and long, that were on the upstream after the event
  std::size_t flows_lost_elsewhere = 0;
  std::size_t flows_caught = 0;  // short ones that were under way on it at the event
  double caught_worst_s = 0;     // the longest of those took so long
  Latency before{};              // of those that ended before the event
  Latency during{};              // until the traffic has left
  Latency after{};
  std::optional<Return> back{};  // of an event that restores
};

/// Shares of the bytes sent in one bin, by upstream; all 0 in a bin without traffic.
struct BinShares {
  double at = 0;
  std::vector<double> all;
  std::vector<double> short_flows;
};

/// The second half of a run: what the steering has settled to.
struct Settled {
  Latency latency{};
  std::uint64_t packets_dropped = 0;  // by all upstreams' full queues
  int reversals = 0;                  // turns of a weight by more than 0.05, the worst upstream's
  std::size_t decisions = 0;
};

struct Report {
  std::vector<EventReport> events;
  Settled settled;
  std::vector<BinShares> bins;
  std::size_t short_flows = 0;
  std::size_t short_flows_lost = 0;
  std::size_t long_flows_lost = 0;
  double longest_stall = 0;
  Latency latency;
  std::vector<Check> checks;  // empty without steering

  [[nodiscard]] bool passed() const;
};

Report evaluate(const RunRecord& run);

/// The verdict: what must be true of a steered run.
std::vector<Check> judge(const RunRecord& run, const Report& report);

/// Everything, with the run's decisions: what `--json` writes.
std::string to_json(const RunRecord& run, const Report& report);

/// The closing table, for people: at most 80 columns wide.
std::string summary(const RunRecord& run, const Report& report);

/// The value at `quantile` (0..1) of unsorted values, by the nearest rank; 0 of none.
double quantile(std::vector<double> values, double quantile);

}  // namespace hopwise::lab
