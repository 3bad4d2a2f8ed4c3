// Round-trip times of many readings as one distribution, to ask for its median and its mean.
//
// A reading tells quantiles, not samples. It enters as three atoms, at its 10th, 50th and 90th
// percentile, of 30, 40 and 30 % of its samples: exact for a reading of one sample, and no
// smoothing between the modes of a mixture of fast and slow paths. Quantiles come from a histogram
// and are known to 1/32; where the mean, which is exact, lies that near to the median, it stands
// for it. Memory grows to the most readings that were ever between two clear(), at most kMost, and
// stays.
#pragma once

#include <optional>
#include <vector>

#include "core/model/passive.hpp"

namespace hopwise::engine {

class RttMix {
 public:
  static constexpr std::size_t kMost = 1024;  // readings

  /// False: impossible (no samples, no order, over a minute), or more than fit; it is left out.
  bool add(const PassiveRtt& rtt);
  void clear();

  [[nodiscard]] double samples() const { return samples_; }
  /// Reorders what is kept. 0 where there is nothing.
  [[nodiscard]] double median_ms();
  [[nodiscard]] double mean_ms() const { return samples_ > 0 ? sum_ms_ / samples_ : 0; }

 private:
  struct Atom {
    float ms = 0;
    float samples = 0;
  };
  std::vector<Atom> atoms_;
  double samples_ = 0;
  double sum_ms_ = 0;
};

}  // namespace hopwise::engine
