// The control law's figures as series: of groups, of their paths, and of nexthops as carriers.
#pragma once

#include "core/metrics/page.hpp"

namespace hopwise::metrics {

/// Mode, margin, demand and proof of every group.
void add_groups_law(Page& page, const Status& status);
/// Costs by term, predictions and disagreement of every path.
void add_paths_law(Page& page, const Status& status);
/// Capacity, its use, and what is paid for of every nexthop.
void add_carriers(Page& page, const Status& status);

}  // namespace hopwise::metrics
