// An anchor's figures turned into one number, lower is better. Two costs for two speeds: the score
// tells propagation from queueing and saturates, for the slow law; the alarm takes delay and loss
// as a new flow would feel them right now, for the comparison that an escape needs.
#pragma once

#include "core/engine/estimator.hpp"

namespace hopwise::engine {

/// c = a.sat((base-10)/(120-10)) + b.sat((q-5)/50) + g.sat((L-1%)/(Lmax-1%)) + d.sat(J/Jmax),
/// sat clamps to 0..1, q = slow average - base, L what is certain of the loss.
double score_cost(const Reading& reading, const Options& options);

/// How much dearer than `better` the other surely is: losses count by what their bounds leave of
/// the difference, so that two equally lossy paths are equal.
double score_excess(const Reading& better, const Reading& other, const Options& options);

/// How far two scores may lie apart and still be called equal: dead band and measurement noise.
double score_band(const Reading& better, const Reading& other, const Options& options);

/// c = a.(recent-10)/(120-10) + g.L/Lmax: grows without limit, so that bad and worse differ.
double alarm_cost(const Reading& reading, const Options& options);

/// How far two alarms may lie apart and still be called equal.
double alarm_band(const Reading& better, const Options& options);

}  // namespace hopwise::engine
