// The destinations with the most traffic, in memory of a fixed size: Space-Saving (Metwally,
// Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005)
// with bytes as weights and exponential ageing.
//
// k counters. A prefix without one takes over the smallest, and with it the smallest's bytes: as
// its error, for they may be anybody's. So a counter never says too little, and its error says by
// how much it may say too much; a prefix that has more than total / k always has one. Ageing scales
// all alike, so that these hold for the aged bytes too. A heap with the smallest on top, and an
// index into it: an update costs O(log k).
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise {

class TopPrefixes {
 public:
  struct Counter {
    Prefix prefix;
    double bytes = 0;  // what it had, or more ...
    double error = 0;  // ... by at most this

    [[nodiscard]] double surely() const { return bytes - error; }
  };

  /// `counters` >= 1.
  explicit TopPrefixes(std::size_t counters);

  /// `bytes` > 0; anything else counts for nothing.
  void add(const Prefix& prefix, double bytes);
  /// What has been counted so far is worth `factor` (0..1) of it from now on. O(k).
  void age(double factor);

  /// Those with the most bytes, most first; of equal ones the lower prefix first.
  [[nodiscard]] std::vector<Counter> top(std::size_t most) const;
  [[nodiscard]] double total() const { return total_; }
  /// Of the total, the share of which it is not known whose it is.
  [[nodiscard]] double untracked_share() const;
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  [[nodiscard]] std::size_t counters() const { return counters_; }

 private:
  void sift_up(std::size_t at);
  void sift_down(std::size_t at);
  void put(std::size_t at, const Counter& counter);

  std::size_t counters_;
  std::vector<Counter> heap_;
  std::unordered_map<Prefix, std::size_t> at_;  // in heap_
  double total_ = 0;
};

}  // namespace hopwise
