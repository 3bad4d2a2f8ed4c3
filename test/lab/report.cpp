#include "test/lab/report.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <set>

namespace hopwise::lab {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kStep = kBinSeconds;
constexpr double kWindow = 0.3;        // of new flows, to see that traffic has left
constexpr double kBefore = 3;          // seconds before an event that tell the old share
constexpr double kBeforeLatency = 10;  // the same for latencies
constexpr double kLeft = 0.1;          // of the old share may remain
constexpr double kCameBack = 1. / 3;   // of the old share in any second: it has not really left
constexpr double kReturned = 0.25;     // of the old share: a restored upstream is in use again
constexpr double kReversal = 0.05;     // smallest turn of a weight that counts

double bin_start(std::uint32_t bin) {
  return bin * kBinSeconds;
}

/// A short flow's beginning, and the upstream that got its first packet.
struct Birth {
  double at = 0;
  std::uint16_t upstream = 0;
};

using Visits = std::map<FlowId, std::map<std::uint16_t, std::vector<std::uint32_t>>>;  // bins

struct Reading {
  explicit Reading(const RunRecord& record) : run(record) {
    for (const auto& slice : run.slices) visits[slice.flow][slice.upstream].push_back(slice.bin);
    std::map<FlowId, std::uint16_t> first;
    for (const auto& slice : run.slices) first.try_emplace(slice.flow, slice.upstream);
    for (const auto& flow : run.traffic.short_flows)
      if (const auto found = first.find(flow.id); found != first.end())
        births.push_back({flow.begun, found->second});
  }

  /// The upstream's share of the flows begun in [from, to); nothing when none began.
  [[nodiscard]] std::optional<double> share(std::uint16_t upstream, double from, double to) const {
    const auto begin = std::ranges::lower_bound(births, from, {}, &Birth::at);
    const auto end = std::ranges::lower_bound(births, to, {}, &Birth::at);
    if (begin >= end) return std::nullopt;
    const auto there = std::ranges::count(begin, end, upstream, &Birth::upstream);
    return static_cast<double>(there) / static_cast<double>(end - begin);
  }

  /// Did the flow send anything to `upstream` in [from, to)?
  [[nodiscard]] bool visited(FlowId flow, std::uint16_t upstream, double from, double to) const {
    const auto of_flow = visits.find(flow);
    if (of_flow == visits.end()) return false;
    const auto bins = of_flow->second.find(upstream);
    return bins != of_flow->second.end() && std::ranges::any_of(bins->second, [&](auto bin) {
             return bin_start(bin) + kBinSeconds > from && bin_start(bin) < to;
           });
  }

  const RunRecord& run;
  Visits visits;
  std::vector<Birth> births;  // by `at`
};

std::optional<double> left_degraded(const Reading& reading, const EventReport& report) {
  const auto upstream = report.event.upstream;
  const double limit = kLeft * report.share_before;
  const auto below = [&](double from, double to, double bound) {
    const auto share = reading.share(upstream, from, std::min(to, report.until));
    return share && *share <= bound;
  };
  for (double t = report.event.at; t + kWindow <= report.until; t += kStep) {
    if (!below(t, t + kWindow, limit) || !below(t, report.until, limit)) continue;
    bool stays = true;
    for (double later = t; stays && later + 1 <= report.until; later += kStep)
      stays = below(later, later + 1, kCameBack * report.share_before);
    if (stays) return t - report.event.at;
  }
  return std::nullopt;
}

/// A bin is 100 ms wide and its packets may be from any part of it: the end of the bin is taken.
std::optional<double> left_black_hole(const Reading& reading, const EventReport& report) {
  std::vector<double> last_sent;
  for (const auto& [flow, upstreams] : reading.visits) {
    const auto bins = upstreams.find(report.event.upstream);
    if (bins == upstreams.end()) continue;
    double last = -1;
    for (const auto bin : bins->second)
      if (bin_start(bin) >= report.event.at && bin_start(bin) < report.until)
        last = std::max(last, bin_start(bin) + kBinSeconds - report.event.at);
    if (last > 0) last_sent.push_back(last);
  }
  const double moved = quantile(last_sent, 1 - kLeft);
  // The last tenth may still be going there at the end.
  const double since = report.event.at + moved;
  const auto share = reading.share(report.event.upstream, since, report.until);
  if (since + kWindow > report.until || share.value_or(0) > kLeft) return std::nullopt;
  return moved;
}

std::vector<const ShortFlow*> begun_in(const RunRecord& run, double from, double to) {
  std::vector<const ShortFlow*> flows;
  for (const auto& flow : run.traffic.short_flows)
    if (flow.begun >= from && flow.begun < to) flows.push_back(&flow);
  return flows;
}

Latency latency_of(const std::vector<const ShortFlow*>& flows) {
  std::vector<double> times;
  Latency latency{.flows = flows.size()};
  for (const auto* flow : flows) {
    if (flow->lost()) ++latency.lost;
    if (flow->completed()) times.push_back(*flow->ended - flow->begun);
  }
  latency.p50 = quantile(times, 0.5);
  latency.p99 = quantile(times, 0.99);
  latency.worst = quantile(times, 1);
  return latency;
}

/// A lost flow belongs to the last event that made anything worse before it failed (a short one
/// fails kShortFlowTimeout after it met its fault).
void count_lost_flows(const Reading& reading, std::size_t index, const std::set<std::uint16_t>& bad,
                      EventReport& report) {
  const auto& events = reading.run.events;
  const auto next = std::find_if(events.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                                 events.end(), [](const auto& event) { return event.worsens; });
  const double until = next == events.end() ? kNever : next->at;
  const auto count = [&](FlowId flow, double failed_at) {
    if (failed_at < report.event.at || failed_at >= until) return;
    const bool met_bad = std::ranges::any_of(
        bad, [&](auto upstream) { return reading.visited(flow, upstream, 0, failed_at + kStep); });
    ++(met_bad ? report.flows_lost : report.flows_lost_elsewhere);
  };
  for (const auto& flow : reading.run.traffic.short_flows)
    if (flow.lost()) count(flow.id, *flow.ended);
  for (const auto& flow : reading.run.traffic.long_flows)
    if (!flow.failure.empty()) count(flow.id, flow.failed_at);
}

void count_caught(const Reading& reading, EventReport& report) {
  for (const auto& flow : reading.run.traffic.short_flows) {
    const double ended = flow.ended.value_or(kNever);
    if (flow.begun >= report.event.at || ended <= report.event.at) continue;
    if (!reading.visited(flow.id, report.event.upstream, flow.begun, ended)) continue;
    ++report.flows_caught;
    if (flow.completed())
      report.caught_worst_s = std::max(report.caught_worst_s, *flow.ended - flow.begun);
  }
}

/// What the upstream's link did not deliver; `lost` too: by chance as well as by its full queue.
enum class Dropped : std::uint8_t { by_queue, all };

std::uint64_t dropped_between(const RunRecord& run, std::uint16_t upstream, double from, double to,
                              Dropped which = Dropped::all) {
  std::optional<std::uint64_t> first;
  std::uint64_t last = 0;
  for (const auto& reading : run.links) {
    if (reading.upstream != upstream || reading.at < from - kStep || reading.at > to) continue;
    last = reading.dropped + (which == Dropped::all ? reading.lost : 0);
    if (!first) first = last;
  }
  return last - first.value_or(last);
}

/// Turns of the upstream's weight in [from, to), the worst group's.
int reversals(const RunRecord& run, std::uint16_t upstream, double from, double to) {
  struct Turning {
    std::optional<double> extreme;
    int direction = 0;
    int turns = 0;
  };
  std::map<std::uint32_t, Turning> groups;
  for (const auto& decision : run.decisions) {
    if (decision.at < from || decision.at >= to) continue;
    auto& group = groups[decision.group];
    for (const auto& share : decision.shares) {
      if (share.upstream != upstream) continue;
      if (!group.extreme) group.extreme = share.before;
      const double step = share.after - *group.extreme;
      if (step * group.direction > 0) group.extreme = share.after;
      if (step * group.direction > 0 || std::abs(step) < kReversal) continue;
      if (group.direction != 0) ++group.turns;
      group.direction = step > 0 ? 1 : -1;
      group.extreme = share.after;
    }
  }
  int worst = 0;
  for (const auto& [id, group] : groups) worst = std::max(worst, group.turns);
  return worst;
}

Return coming_back(const Reading& reading, const EventReport& report, double first_event) {
  const auto upstream = report.event.upstream;
  Return back{.share_before =
                  reading.share(upstream, first_event - kBefore, first_event).value_or(0)};
  for (double t = report.event.at; t + 1 <= report.until && !back.after_s; t += kStep)
    if (reading.share(upstream, t, t + 1).value_or(0) >= kReturned * back.share_before)
      back.after_s = t + 1 - report.event.at;
  back.share_at_end = reading.share(upstream, report.until - 2, report.until).value_or(0);
  back.reversals = reversals(reading.run, upstream, report.event.at, report.until);
  return back;
}

EventReport report_event(const Reading& reading, std::size_t index,
                         const std::set<std::uint16_t>& bad) {
  const auto& run = reading.run;
  EventReport report{.event = run.events[index]};
  const double at = report.event.at;
  report.until = index + 1 < run.events.size() ? run.events[index + 1].at : run.duration;
  report.share_before = reading.share(report.event.upstream, at - kBefore, at).value_or(0);
  if (report.event.black_hole) {
    report.moved_s = left_black_hole(reading, report);
  } else if (report.event.worsens) {
    report.moved_s = left_degraded(reading, report);
  } else {
    report.back = coming_back(reading, report, run.events.front().at);
  }
  for (std::size_t i = 0; i < run.upstreams.size(); ++i) {
    const auto upstream = static_cast<std::uint16_t>(i);
    (upstream == report.event.upstream ? report.packets_lost : report.packets_lost_elsewhere) +=
        dropped_between(run, upstream, at, report.until);
  }
  if (report.event.worsens) {
    count_lost_flows(reading, index, bad, report);
    count_caught(reading, report);
  }
  const double settled = report.event.worsens ? report.moved_s.value_or(kNever) : 0;
  const double since = std::max(index == 0 ? 0 : run.events[index - 1].at, at - kBeforeLatency);
  auto before = begun_in(run, since, at);
  // What the event itself caught and made late does not tell how it was before.
  std::erase_if(before, [&](const auto* flow) { return flow->ended.value_or(kNever) > at; });
  report.before = latency_of(before);
  report.during = latency_of(begun_in(run, at, std::min(at + settled, report.until)));
  report.after = latency_of(begun_in(run, at + settled, report.until));
  return report;
}

std::vector<BinShares> bins_of(const RunRecord& run) {
  const auto count = static_cast<std::size_t>(std::ceil(run.duration / kBinSeconds));
  const std::vector<double> none(run.upstreams.size());
  std::vector<BinShares> bins;
  for (std::size_t i = 0; i < count; ++i)
    bins.push_back({bin_start(static_cast<std::uint32_t>(i)), none, none});
  for (const auto& slice : run.slices) {
    if (slice.bin >= count) continue;
    const auto bytes = static_cast<double>(slice.bytes);
    bins[slice.bin].all[slice.upstream] += bytes;
    if (is_short(slice.flow)) bins[slice.bin].short_flows[slice.upstream] += bytes;
  }
  for (auto& bin : bins)
    for (auto* shares : {&bin.all, &bin.short_flows}) {
      double sum = 0;
      for (const double share : *shares) sum += share;
      for (double& share : *shares) share = sum > 0 ? share / sum : 0;
    }
  return bins;
}

Settled settled_of(const RunRecord& run) {
  const double from = run.duration / 2;
  Settled settled{.latency = latency_of(begun_in(run, from, run.duration))};
  for (std::uint16_t i = 0; i < run.upstreams.size(); ++i) {
    settled.packets_dropped += dropped_between(run, i, from, run.duration, Dropped::by_queue);
    settled.reversals = std::max(settled.reversals, reversals(run, i, from, run.duration));
  }
  for (const auto& decision : run.decisions)
    if (decision.at >= from) ++settled.decisions;
  return settled;
}

}  // namespace

double quantile(std::vector<double> values, double quantile) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto rank =
      static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(values.size())));
  return values[std::clamp<std::size_t>(rank, 1, values.size()) - 1];
}

const char* text(Steering steering) {
  switch (steering) {
    case Steering::kernel:
      return "kernel ECMP only";
    case Steering::greedy:
      return "greedy by lowest round-trip time";
    case Steering::hopwise:
      break;
  }
  return "steered by hopwise";
}

Report evaluate(const RunRecord& run) {
  const Reading reading{run};
  Report report;
  std::set<std::uint16_t> bad;
  for (std::size_t i = 0; i < run.events.size(); ++i) {
    // A flow that met an upstream while it was bad may still fail after that was restored.
    if (run.events[i].worsens) bad.insert(run.events[i].upstream);
    report.events.push_back(report_event(reading, i, bad));
  }
  report.settled = settled_of(run);
  report.bins = bins_of(run);
  report.latency = latency_of(begun_in(run, 0, kNever));
  report.short_flows = run.traffic.short_flows.size();
  report.short_flows_lost = report.latency.lost;
  for (const auto& flow : run.traffic.long_flows) {
    if (!flow.failure.empty()) ++report.long_flows_lost;
    report.longest_stall = std::max(report.longest_stall, flow.longest_stall);
  }
  if (run.steered) report.checks = judge(run, report);
  return report;
}

bool Report::passed() const {
  return std::ranges::all_of(checks, &Check::passed);
}

}  // namespace hopwise::lab
