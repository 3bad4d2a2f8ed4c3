// How much traffic a group has, where it is now, and where it will be once flows have followed the
// weights.
//
// Running flows stay where they began, so what a path carries lags behind its weight by the flows'
// lifetimes. The target weights do not lag: a path is predicted to carry its share of the demand,
// and what it carries beyond that for longer than flows last (elephants, hashing) is pinned to it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/model/reading.hpp"

namespace hopwise::engine {

class Demand {
 public:
  /// Paths by their index in the group; those that stay keep what they have, `kept[i]` is the old
  /// index of the new path i, or -1.
  void set_paths(std::span<const int> kept);
  /// False: impossible, and ignored. `weight`: the path's share when the reading was taken.
  bool observe(std::size_t path, const PathReading& reading, double weight);

  /// Bits a second of the whole group; empty until it is known, or when readings have ceased.
  [[nodiscard]] std::optional<double> total_bit_s(TimePoint now) const;
  /// What the path carries of it now.
  [[nodiscard]] double carried_bit_s(std::size_t path) const;
  /// What it would carry in the end with this share. 0 while the demand is not known.
  [[nodiscard]] double predicted_bit_s(std::size_t path, double weight) const;

 private:
  struct OfPath {
    double carried_bit_s = 0;
    std::optional<TimePoint> at{};
  };
  std::vector<OfPath> paths_;
};

}  // namespace hopwise::engine
