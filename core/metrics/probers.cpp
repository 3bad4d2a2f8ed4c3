#include "core/metrics/probers.hpp"

#include "core/metrics/figures.hpp"

namespace hopwise::metrics {
namespace {

using P = ProbeLine;
using Known = std::optional<double>;

constexpr Figure<P> kOutcomes[] = {
    {Metric::probe_sent_total, [](const P& p, TimePoint) { return count_of(p.status.sent); }},
    {Metric::probe_received_total,
     [](const P& p, TimePoint) { return count_of(p.status.received); }},
    {Metric::probe_lost_total, [](const P& p, TimePoint) { return count_of(p.status.lost); }},
    {Metric::probe_late_total, [](const P& p, TimePoint) { return count_of(p.status.late); }},
    {Metric::probe_unsent_total, [](const P& p, TimePoint) { return count_of(p.status.unsent); }},
};

constexpr Figure<P> kProofs[] = {
    {Metric::probe_rate, [](const P& p, TimePoint) { return Known(p.status.rate); }},
    {Metric::probe_sample_age_seconds,
     [](const P& p, TimePoint now) {
       return p.rtts == nullptr ? Known() : Known(seconds(now - p.rtts->newest));
     }},
    {Metric::probe_suspicious,
     [](const P& p, TimePoint) { return Known(one_if(p.status.state == ProbeState::suspicious)); }},
    {Metric::probe_blamed, [](const P& p, TimePoint) { return Known(one_if(p.status.blamed)); }},
    {Metric::probe_proved_total, [](const P& p, TimePoint) { return count_of(p.status.proved); }},
    {Metric::probe_kernel_stamped_total,
     [](const P& p, TimePoint) { return count_of(p.status.kernel_stamped); }},
    {Metric::probe_duplicate_total,
     [](const P& p, TimePoint) { return count_of(p.status.duplicate); }},
    {Metric::probe_forged_total, [](const P& p, TimePoint) { return count_of(p.status.forged); }},
    {Metric::probe_refused_total, [](const P& p, TimePoint) { return count_of(p.status.refused); }},
    {Metric::probe_flow_spread_seconds,
     [](const P& p, TimePoint) { return seconds_of(p.status.spread()); }},
    {Metric::probe_first_byte_seconds,
     [](const P& p, TimePoint) { return seconds_of(p.status.first_byte); }},
};

void add_voids(Page& page, const std::vector<ProbeLine>& probers) {
  for (const ProbeLine& line : probers)
    for (std::size_t why = 0; why < kVoids; ++why)
      page.add(Metric::probe_void_total, line.status.voids[why], line.labels,
               {"reason", std::string(text(static_cast<Void>(why)))});
}

void add_states(Page& page, const std::vector<ProbeLine>& probers) {
  for (const ProbeLine& line : probers)
    for (const auto state :
         {ProbeState::waiting, ProbeState::probing, ProbeState::suspicious, ProbeState::unbound})
      page.add(Metric::probe_state, one_if(state == line.status.state), line.labels,
               {"state", std::string(text(state))});
}

void add_directions(Page& page, const std::vector<ProbeLine>& probers) {
  for (const auto& [status, rtts, labels] : probers) {
    if (status.forward)
      page.add(Metric::probe_one_way_delay_seconds, seconds(*status.forward), labels,
               {"direction", "forward"});
    if (status.backward)
      page.add(Metric::probe_one_way_delay_seconds, seconds(*status.backward), labels,
               {"direction", "reverse"});
    if (!status.directional) continue;
    page.add(Metric::probe_direction_lost_total, status.directional->forward, labels,
             {"direction", "forward"});
    page.add(Metric::probe_direction_lost_total, status.directional->backward, labels,
             {"direction", "reverse"});
  }
}

void add_flows(Page& page, const std::vector<ProbeLine>& probers) {
  const auto each = [&](Metric metric, auto&& value) {
    for (const ProbeLine& line : probers)
      for (std::size_t flow = 0; flow < line.status.flows.size(); ++flow)
        if (const Known known = value(line.status.flows[flow]))
          page.add(metric, *known, line.labels, {"flow", std::to_string(flow)});
  };
  each(Metric::probe_flow_rtt_seconds, [](const ProbeFlow& flow) { return seconds_of(flow.rtt); });
  each(Metric::probe_flow_lost_total, [](const ProbeFlow& flow) { return count_of(flow.lost); });
  each(Metric::probe_flow_sent_total, [](const ProbeFlow& flow) { return count_of(flow.sent); });
}

}  // namespace

std::vector<ProbeLine> probe_lines(const std::vector<NexthopStatus>& nexthops,
                                   const RttHistograms& rtts) {
  std::vector<ProbeLine> lines;
  for (const NexthopStatus& nexthop : nexthops)
    for (const ProbeStatus& probe : nexthop.probes)
      lines.push_back({probe,
                       rtts.find(nexthop.nexthop.id, probe.anchor),
                       {{"nexthop", nexthop.nexthop.name},
                        {"target", probe.anchor.text()},
                        {"protocol", std::string(text(probe.anchor.kind))}}});
  return lines;
}

void add_totals(Page& page, const ProberTotals& totals) {
  page.add(Metric::prober_stalls_total, totals.stalls);
  page.add(Metric::prober_overflows_total, totals.overflows);
  page.add(Metric::prober_unknown_replies_total, totals.unknown_replies);
  page.add(Metric::prober_rate, totals.wanted_rate, {{"kind", "wanted"}});
  page.add(Metric::prober_rate, totals.rate, {{"kind", "actual"}});
  page.add(Metric::prober_rate, totals.budget, {{"kind", "budget"}});
  page.add(Metric::prober_staged, one_if(totals.staged));
  for (const auto& [result, packets] : totals.staged_packets)
    page.add(Metric::stage_packets_total, packets, {{"result", result}});
}

void add_outcomes(Page& page, const std::vector<ProbeLine>& probers, TimePoint now) {
  add(page, probers, kOutcomes, now);
}

void add_proofs(Page& page, const std::vector<ProbeLine>& probers, TimePoint now) {
  add_voids(page, probers);
  add(page, probers, kProofs, now);
}

void add_histograms(Page& page, const std::vector<ProbeLine>& probers) {
  const RttHistogram nothing;
  for (const ProbeLine& line : probers)
    page.add(Metric::probe_rtt_seconds, line.rtts == nullptr ? nothing : *line.rtts, line.labels);
}

void add_details(Page& page, const std::vector<ProbeLine>& probers) {
  add_states(page, probers);
  add_directions(page, probers);
  add_flows(page, probers);
}

}  // namespace hopwise::metrics
