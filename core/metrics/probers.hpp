// The probers' part of the page, by how much it matters.
#pragma once

#include <vector>

#include "core/metrics/page.hpp"

namespace hopwise::metrics {

/// A prober with its labels, which are made once for all its families.
struct ProbeLine {
  const ProbeStatus& status;
  const RttHistogram* rtts;  // null while nothing was observed
  Labels labels;             // nexthop, target, protocol
};

std::vector<ProbeLine> probe_lines(const std::vector<NexthopStatus>& nexthops,
                                   const RttHistograms& rtts);

void add_totals(Page& page, const ProberTotals& totals);
/// Sent, answered, lost.
void add_outcomes(Page& page, const std::vector<ProbeLine>& probers, TimePoint now);
/// Why figures may be trusted, or not: voids, proofs, paces.
void add_proofs(Page& page, const std::vector<ProbeLine>& probers, TimePoint now);
void add_histograms(Page& page, const std::vector<ProbeLine>& probers);
/// Pinned flows, states, directions.
void add_details(Page& page, const std::vector<ProbeLine>& probers);

}  // namespace hopwise::metrics
