// What load costs, and the book of where it will be.
//
// The cost of load is a barrier: nothing while a nexthop has room, then steeply more. It must not
// bend earlier than it has to, since below the knee every share on a slower path is delay for
// nothing, nor so late that the law walks into the queue before it feels anything. So:
//
//   phi(rho) = 0                          up to .9
//            = 1.5 ((rho - .9) / .1)^2    up to 1
//            = 1.5 + 30 (rho - 1)         beyond, as far as 10 times the capacity
//
// Against the knee at .7 with slope 1/.3 that it replaces: on 1 Gb/s at 20 ms and 500 Mb/s at 25 ms
// under 1200 Mb/s that one stops at 80 % and 80 %, 21.67 ms, where a fluid could have 20.83. Here a
// difference of 5 ms (.045) is worth rho = .917, 50 ms (.45) .955, and the whole range of all terms
// 1.04: whatever the paths' delays are, the knee is passed only where it pays, and full is full. It
// is convex and its slope continuous, so the sum of its integrals over the nexthops, plus each
// group's own costs, is one convex potential (Beckmann 1956) of which every group's step goes down.
// Beyond 1 it still grows: where the demand exceeds all there is, what is short is shared out
// evenly.
//
// A load wavers, by the chance of flows and by what demand strays. What it costs is then the mean
// of phi over where it may be (normal, in closed form): the fewer and larger the flows, the more
// room is left, on each path until what more room would save is what the detour costs.
//
// The book has one entry a nexthop: what all groups' weights will load it with once flows follow.
// Groups step one after another, each upon what those before it have just entered (Gauss-Seidel):
// a thousand groups that see the same empty nexthop do not all jump onto it.
#pragma once

#include <algorithm>
#include <optional>
#include <span>

#include "core/model/time.hpp"

namespace hopwise::engine {

/// The mean of phi over a utilisation that wavers about `rho` by the deviation `sigma` (normal).
/// Both are of the capacity; below 0 and NaN cost nothing.
double load_cost(double rho, double sigma = 0);
/// Its derivative in rho.
double load_slope(double rho, double sigma = 0);

/// From here on load costs.
inline constexpr double kLoadKnee = 0.9;
/// So much of the demand comes and goes by itself: what that makes of the cost is no reason to
/// move.
inline constexpr double kDemandNoise = 0.015;

/// Of one nexthop, bits a second, over all groups. Capacity and background are looked up once an
/// epoch.
struct BookedLoad {
  double predicted_bit_s = 0;   // by the weights that hold now
  double carried_bit_s = 0;     // now
  double background_bit_s = 0;  // not ours to move
  double variance = 0;          // of what is predicted, by the chance of flows, (bit/s)^2
  double surges_bit_s = 0;      // predicted more, by decisions since the book was opened
  std::optional<double> capacity_bit_s{};
  TimePoint at;                     // when the book was opened
  std::optional<TimePoint> full{};  // when it was last nearly full, mostly of ours

  /// Would `bit_s` nearly fill a capacity, or fill it when it wavers by so many deviations?
  [[nodiscard]] bool fills(double bit_s, double capacity, double deviations) const;
  [[nodiscard]] bool full_within(Duration time) const { return full && at - *full < time; }
  [[nodiscard]] double ours_bit_s() const { return std::max(predicted_bit_s, carried_bit_s); }
};

/// Of the capacity: from here on a queue is to be expected.
inline constexpr double kNearlyFull = 0.85;

/// One path as the slow law sees its nexthop: rho(w) = (others + pinned + w movable) / capacity.
struct LoadLine {
  double fixed_bit_s = 0;     // whatever this group's share is
  double movable_bit_s = 0;   // at a share of 1
  double capacity_bit_s = 0;  // 0: it can carry nothing
  bool known = false;         // false: nothing bounds it, load costs nothing
  double sigma_bit_s = 0;     // of the load, by the chance of flows

  [[nodiscard]] double utilisation(double share) const;
  /// Of the capacity, by the chance of flows.
  [[nodiscard]] double sigma() const {
    return capacity_bit_s > 0 ? sigma_bit_s / capacity_bit_s : 0;
  }
  [[nodiscard]] double cost(double share) const {
    return known ? load_cost(utilisation(share), sigma()) : 0;
  }
  /// d cost / d share.
  [[nodiscard]] double slope(double share) const;
};

/// What bends a cost, beyond its value now.
struct Bend {
  std::span<const LoadLine> loads{};
  double weight = 0;  // of the load's cost
};

/// Exponential weights with the costs as they will be at the new shares,
///   w'_i = w_i exp(mu - rate c_i(w'_i)), mu such that they sum to 1:
/// the proximal step of the convex potential under Kullback and Leibler's divergence (Censor &
/// Zenios 1992; Rockafellar 1976). At whatever rate it goes down the potential and never beyond the
/// point where costs are equal; a small link, whose cost is steep, is where it belongs after one
/// step, while the others are on their way. `costs` are those at `shares`; the result is in `next`.
void proximal_step(std::span<const double> shares, std::span<const double> costs, double rate,
                   const Bend& bend, std::span<double> next);

}  // namespace hopwise::engine
