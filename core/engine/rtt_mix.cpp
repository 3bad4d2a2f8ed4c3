#include "core/engine/rtt_mix.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr Duration kAbsurd = std::chrono::minutes(1);
constexpr double kMiddle = 0.4;  // of the samples, in the atom of the median
constexpr double kResolution = 1.0 / 32;
constexpr std::uint64_t kMostSamples = 1'000'000'000;  // a second

bool possible(const PassiveRtt& rtt) {
  return rtt.samples > 0 && rtt.samples <= kMostSamples && rtt.p10 > Duration::zero() &&
         rtt.p10 <= rtt.p50 && rtt.p50 <= rtt.p90 && rtt.p90 <= kAbsurd &&
         rtt.mean > Duration::zero() && rtt.mean <= kAbsurd;
}

// Of so many samples the reading tells the half's, rounded up: where it lies in the distribution,
// on the median (Benard's rank).
double middle_rank(double samples) {
  return (std::ceil(samples / 2) - 0.3) / (samples + 0.4);
}

// Beyond what the histogram cannot tell the mean says less of the median the farther it lies, and
// nothing from twice that on: there it is the other mode's, or the tail's.
double refined(double told_ms, double mean_ms) {
  const double off = mean_ms - told_ms;
  const double unknown = kResolution * told_ms;
  const double part = std::min(std::abs(off), std::max(0.0, 2 * unknown - std::abs(off)));
  return told_ms + std::copysign(part, off);
}

}  // namespace

bool RttMix::add(const PassiveRtt& rtt) {
  if (!possible(rtt) || atoms_.size() + 3 > 3 * kMost) return false;
  const auto samples = static_cast<double>(rtt.samples);
  const double told = milliseconds(rtt.p50);
  const double middle = refined(told, milliseconds(rtt.mean));
  const double low = std::min(milliseconds(rtt.p10), middle);
  const double high = std::max(milliseconds(rtt.p90), middle);
  const double below = middle_rank(samples) * samples - kMiddle / 2 * samples;
  const auto atom = [this](double ms, double weight) {
    atoms_.push_back({static_cast<float>(ms), static_cast<float>(weight)});
  };
  atom(low, below);
  atom(middle, kMiddle * samples);
  atom(high, (1 - kMiddle) * samples - below);
  samples_ += samples;
  sum_ms_ += samples * milliseconds(rtt.mean);
  return true;
}

void RttMix::clear() {
  atoms_.clear();
  samples_ = sum_ms_ = 0;
}

// Weighted median by halving: linear in the number of atoms on the mean.
double RttMix::median_ms() {
  if (atoms_.empty()) return 0;
  double left = samples_ / 2;  // still to pass, from `first` on
  auto first = atoms_.begin();
  auto last = atoms_.end();
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, [](const Atom& a, const Atom& b) { return a.ms < b.ms; });
    double below = 0;
    for (auto a = first; a != middle; ++a) below += a->samples;
    if (below >= left) {
      last = middle;
    } else {
      left -= below;
      first = middle;
    }
  }
  return first->ms;
}

}  // namespace hopwise::engine
