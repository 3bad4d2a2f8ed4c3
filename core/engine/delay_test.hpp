// Has the delay of this path moved up for good, if only by a little? A sequential test for steps
// too small, or jitter too large, for a limit on a few samples.
//
// The usual delay is the median of one sample a second over the last minute, its spread the median
// of the deviations from it (MAD x 1.4826, a standard deviation where noise is normal): half of the
// samples may be bad without harm. What a sample exceeds the median by, less half of the least step
// that is worth telling, is cut at four deviations and summed, never below 0 (Page 1954): a large
// step shows after four samples, +5 ms on a quiet 20 ms after about eight, a pair of spikes never.
// A step that stays becomes usual within a minute and is then no longer told.
#pragma once

#include <array>
#include <optional>

#include "core/engine/engine.hpp"

namespace hopwise::engine {

class DelayTest {
 public:
  explicit DelayTest(const Options& options) : options_(&options) {}
  void reconfigure(const Options& options) { options_ = &options; }

  void observe(double rtt_ms, TimePoint known);
  /// The present delay is the usual one from now on.
  void clear();

  /// How far above the usual delay the recent samples lie, in ms, once that is certain.
  [[nodiscard]] std::optional<double> shift() const;

 private:
  static constexpr std::size_t kReference = 61;

  void remember(double rtt_ms, TimePoint known);

  const Options* options_;
  std::array<double, kReference> reference_{};
  std::size_t referred_ = 0;  // ever
  std::optional<TimePoint> remembered_;
  double usual_ms_ = 0;
  double deviation_ms_ = 0;
  double sum_ = 0;        // in deviations
  double recent_ms_ = 0;  // EWMA over a few samples
  bool shifted_ = false;
};

}  // namespace hopwise::engine
