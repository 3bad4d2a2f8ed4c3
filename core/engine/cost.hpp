// A path's figures turned into one number, lower is better. Two costs for two speeds: the score
// tells propagation from queueing and saturates, for the slow law; the alarm takes delay and loss
// as a new flow would feel them right now, for the comparison that an escape needs. Both weigh by
// the group's policy. Limits of 0 mean "at once", never a division by it.
#pragma once

#include "core/engine/estimator.hpp"
#include "core/model/decision.hpp"

namespace hopwise::engine {

/// a.sat((base-10)/(120-10)), b.sat((q-5)/50), g.sat((L-1%)/(Lmax-1%)) and d.sat(J/Jmax): sat
/// clamps to 0..1, q = slow average - base, L what is certain of the loss. Figures are of the
/// default policy; a queue is quiet up to a tenth of its limit. Price, load and preference are not
/// of a reading: they stay 0.
CostTerms score_terms(const Reading& reading, const Policy& policy);

/// How much dearer than `better` the other surely is: losses count by what their bounds leave of
/// the difference, so that two equally lossy paths are equal.
double score_excess(const Reading& better, const Reading& other, const Policy& policy);

/// How far two scores may lie apart by the noise of their measurement alone.
double score_noise(const Reading& better, const Reading& other, const Policy& policy);
/// How far they may lie apart and still be called equal: dead band, or noise where it is more.
double score_band(const Reading& better, const Reading& other, const Policy& policy,
                  const Options& options);

/// d score / d share, if the path's queue is what its share of the traffic puts there. 0 while it
/// is quiet, or beyond what the cost tells apart.
double queue_slope(const Reading& reading, double share, const Policy& policy);

/// What so much delay costs, without end: of preferences, and of alarms.
double delay_worth(Duration delay, const Policy& policy);

/// What a nexthop's price costs. A commit is paid for, and what goes beyond it is left to the load.
double price_cost(const NexthopTerms& terms, const Policy& policy);

/// c = a.(recent-10)/(120-10) + g.L/Lmax: grows without limit, so that bad and worse differ.
double alarm_cost(const Reading& reading, const Policy& policy);

/// How far two alarms may lie apart and still be called equal.
double alarm_band(const Reading& better, const Policy& policy, const Options& options);

}  // namespace hopwise::engine
