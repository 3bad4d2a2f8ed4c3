// The demand that a group plans its shares with: what it is in the mean, not what it is just now.
//
// Demand wavers by chance: it is averaged over a minute, longer the more it wavers, unless it
// surely is another. That it has risen is believed at once, since a queue is dear: where it is more
// than the plan by what chance seldom makes. That it has fallen is believed when it is proven,
// since room to spare costs little: by the cumulative sum of what speaks for a fall by two
// deviations (Page 1954), seconds counting by what they are worth beside flows that live longer.
#pragma once

#include <optional>

#include "core/engine/demand.hpp"

namespace hopwise::engine {

class Plan {
 public:
  /// Once an epoch, after `elapsed_s`. What the plan has missed is told to the demand.
  void advance(Demand& demand, double elapsed_s, TimePoint now);
  /// The planned demand, of the one now; 1 while nothing is known.
  [[nodiscard]] double scale() const { return bit_s_ ? scale_ : 1; }
  /// A deviation of the plan, of that of the demand: sqrt(t / (t + tau)) of an average over tau of
  /// what is correlated over t.
  [[nodiscard]] double error() const { return error_; }

 private:
  [[nodiscard]] bool surged(double demand, double noise) const;
  [[nodiscard]] bool fell(double demand, double noise, double samples);
  void track(double demand, double elapsed_s);

  std::optional<double> bit_s_;
  std::optional<double> behind_;    // the demand as it was a little ago
  std::optional<TimePoint> moved_;  // when it last turned out to be another
  double fall_ = 0;                 // log of the likelihood ratio
  double scale_ = 1;
  double error_ = 0;
};

}  // namespace hopwise::engine
