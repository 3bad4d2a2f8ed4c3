// What the traffic of all groups meets, weighted by its bits: delays as a histogram, and losses.
#pragma once

#include <vector>

#include "core/simulation/run.hpp"

namespace hopwise::simulation {

class Meter {
 public:
  Meter();

  /// One step of the plant.
  void count(const Plant& plant);
  /// A step that does not count.
  void skip(const Plant& plant);
  /// `loss_costs_ms`: what a lost byte costs, as a delay.
  [[nodiscard]] Figures figures(double loss_costs_ms) const;

 private:
  void add(double bits, double loss, double delay_ms);
  double newly_refused(const Plant& plant);
  [[nodiscard]] double quantile(double q) const;

  std::vector<double> histogram_;  // bits that arrived, by 0.1 ms
  double offered_ = 0;
  double arrived_ = 0;
  double delay_ = 0;    // bits times ms
  double refused_ = 0;  // of the plant, by the last step
};

/// Round-trip time of a user's packet on this link: base, queue, what lies beyond the anchor, and
/// the jitter's mean.
double felt_ms(const Link& link);

}  // namespace hopwise::simulation
