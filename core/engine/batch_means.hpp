// The mean of measurements that depend on their neighbours in time, with an honest interval.
//
// Neighbouring measurements resemble each other (one queue, one burst of flows), so many of them
// say less than as many independent ones would, and the textbook interval is far too narrow. Method
// of batch means (Conway 1963; Law and Kelton, Simulation Modeling and Analysis, 9.5.3): the values
// are averages of batches that are long against what correlates them; what correlation is left
// between batches shrinks their number to n(1-r)/(1+r) (Bayley and Hammersley 1946), with r the
// lag-one autocorrelation, which short series underestimate (Kendall 1954: by (1+3r)/n). Student's
// t with that many degrees of freedom, less one, makes the interval.
#pragma once

#include <optional>
#include <span>

namespace hopwise::engine {

struct MeanInterval {
  double mean = 0;
  double lower = 0;  // 95 %
  double upper = 0;
};

/// Two-sided 95 % quantile of Student's t; `freedom` >= 1, which need not be whole.
double student_t95(double freedom);

/// Of batches in the order of time. Empty for fewer than six, or where one is not finite.
std::optional<MeanInterval> mean_interval(std::span<const double> batches);

}  // namespace hopwise::engine
