#include "core/engine/delay_test.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr Duration kApart = std::chrono::seconds(1);
constexpr std::size_t kJudged = 15;  // fewer do not tell what is usual
constexpr double kSure = 12;         // deviations
constexpr double kCut = 4;           // deviations, of one sample
constexpr double kNormal = 1.4826;   // MAD to standard deviation

double median(std::array<double, 61> values, std::size_t n) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(n / 2);
  std::nth_element(values.begin(), middle, values.begin() + static_cast<std::ptrdiff_t>(n));
  return *middle;
}

}  // namespace

void DelayTest::remember(double rtt_ms, TimePoint known) {
  if (remembered_ && known - *remembered_ < kApart) return;
  remembered_ = known;
  reference_[referred_++ % kReference] = rtt_ms;
  const std::size_t n = std::min(referred_, kReference);
  usual_ms_ = median(reference_, n);
  auto deviations = reference_;
  for (double& d : deviations) d = std::abs(d - usual_ms_);
  deviation_ms_ = std::max({kNormal * median(deviations, n), 0.01 * usual_ms_, 0.1});
}

void DelayTest::observe(double rtt_ms, TimePoint known) {
  recent_ms_ += (rtt_ms - recent_ms_) / (referred_ == 0 ? 1 : 8);
  remember(rtt_ms, known);
  if (referred_ < kJudged) return;
  // A step is worth telling from 2.5 times what the slow law calls equal, and out of the noise.
  const double least = std::max({2.5 * options_->dead_band * usual_ms_,
                                 2.5 * milliseconds(options_->dead_band_delay), deviation_ms_});
  const double excess = (rtt_ms - usual_ms_ - least / 2) / deviation_ms_;
  sum_ = std::clamp(sum_ + std::clamp(excess, -kCut, kCut), 0.0, 2 * kSure);
  if (sum_ >= kSure) shifted_ = true;
  if (sum_ == 0) shifted_ = false;
}

void DelayTest::clear() {
  referred_ = 0;
  remembered_.reset();
  sum_ = 0;
  shifted_ = false;
}

std::optional<double> DelayTest::shift() const {
  if (!shifted_ || recent_ms_ <= usual_ms_) return std::nullopt;
  return recent_ms_ - usual_ms_;
}

}  // namespace hopwise::engine
