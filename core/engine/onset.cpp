#include "core/engine/onset.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr double kMost = 0.5;     // of what the delay lies above the base
constexpr double kSteady = 0.25;  // of the rise
constexpr double kChance = 0.2;   // that a full queue would have let them all pass

}  // namespace

void OnsetTest::observe(double rtt_ms, bool slow, TimePoint sent) {
  if (!slow) {
    good_ms_[good_++ % good_ms_.size()] = rtt_ms;
    good_sent_ = std::max(good_sent_, sent);
    if (slow_ > 0 && sent < slow_sent_) return;  // overtaken on its way back
    slow_ = missing_ = 0;
    waited_ = {};
    return;
  }
  if (good_ == 0 || sent <= good_sent_) return;  // a spike, and well since
  if (slow_++ == 0) {
    slow_sent_ = sent;
    first_ms_ = least_ms_ = last_ms_[1] = rtt_ms;
  }
  slow_sent_ = std::min(slow_sent_, sent);
  least_ms_ = std::min(least_ms_, rtt_ms);
  last_ms_ = {last_ms_[1], rtt_ms};
}

void OnsetTest::lost(TimePoint sent, Duration waited) {
  if (sent <= good_sent_) return;
  ++missing_;
  waited_ = std::max(waited_, waited);
}

void OnsetTest::take_back(TimePoint sent) {
  if (sent > good_sent_ && missing_ > 0 && --missing_ == 0) waited_ = {};
}

std::optional<Climb> OnsetTest::climb(double base_ms, double noise_ms) const {
  if (slow_ == 0 || good_ == 0 || slow_sent_ <= good_sent_) return std::nullopt;
  const auto goods =
      good_ms_.begin() + static_cast<std::ptrdiff_t>(std::min(good_, good_ms_.size()));
  const double rise_ms = least_ms_ - *std::max_element(good_ms_.begin(), goods) - noise_ms;
  const bool most = rise_ms > kMost * (least_ms_ - base_ms);
  const double wavers = kSteady * std::max(rise_ms, 0.0) + noise_ms;
  const double now_ms = std::min(last_ms_[0], last_ms_[1]);  // one may be a spike
  const bool steady = now_ms - least_ms_ <= wavers && first_ms_ - least_ms_ <= wavers;
  // Waited for longer than answers take.
  const bool dropped = missing_ > 0 && milliseconds(waited_) > now_ms + noise_ms;
  return Climb{rise_ms / milliseconds(slow_sent_ - good_sent_), slow_, most && steady && !dropped,
               missing_ > 0};
}

Onset weigh(std::span<const Climb> climbs, double could) {
  double slowest = 0;
  std::uint32_t answered = 0;
  bool missing = false;
  for (const Climb& c : climbs) {
    if (!c.steady || c.rate <= could) return Onset::gradual;
    slowest = answered == 0 ? c.rate : std::min(slowest, c.rate);
    answered += c.answered;
    missing = missing || c.missing;
  }
  if (answered == 0) return Onset::gradual;
  const double chance = std::pow(1 + slowest, -static_cast<double>(answered));
  return missing || chance > kChance ? Onset::unsure : Onset::at_once;
}

}  // namespace hopwise::engine
