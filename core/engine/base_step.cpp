#include "core/engine/base_step.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr std::uint32_t kJudged = 20;  // replies, in ...
constexpr int kCovered = 15;           // ... so many of the 20 slots
constexpr double kLeast_ms = 2;
constexpr double kLeast = 0.05;
constexpr double kSameSpread = 1.5;
constexpr double kSameSpread_ms = 0.5;
constexpr Duration kLearnEvery = std::chrono::seconds(1);
constexpr double kLearnPart = 1.0 / 120;

}  // namespace

void BaseStep::observe(double rtt_ms, double base_ms, TimePoint known) {
  if (Replies* slot = recent_.find(known)) {
    slot->lowest_ms = slot->count == 0 ? rtt_ms : std::min(slot->lowest_ms, rtt_ms);
    slot->sum_ms += rtt_ms;
    ++slot->count;
  }
  if (learnt_ && known - *learnt_ < kLearnEvery) return;
  learnt_ = known;
  const auto now = summary();
  if (!now || now->lowest_ms > base_ms + std::max(kLeast_ms, kLeast * base_ms) / 2) return;
  if (!usual_spread_ms_) usual_spread_ms_ = now->spread_ms;
  *usual_spread_ms_ += kLearnPart * (now->spread_ms - *usual_spread_ms_);
}

std::optional<BaseStep::Summary> BaseStep::summary() const {
  Replies all;
  int covered = 0;
  for (const Replies& slot : recent_.slots()) {
    if (slot.count == 0) continue;
    all.lowest_ms = covered == 0 ? slot.lowest_ms : std::min(all.lowest_ms, slot.lowest_ms);
    all.sum_ms += slot.sum_ms;
    all.count += slot.count;
    ++covered;
  }
  if (covered < kCovered || all.count < kJudged) return std::nullopt;
  return Summary{all.lowest_ms, all.sum_ms / all.count - all.lowest_ms};
}

std::optional<double> BaseStep::lowest() const {
  const auto now = summary();
  return now ? std::optional(now->lowest_ms) : std::nullopt;
}

std::optional<double> BaseStep::step(double base_ms) const {
  const auto now = summary();
  if (!now || !usual_spread_ms_) return std::nullopt;
  const double step = now->lowest_ms - base_ms;
  const double least = std::max({kLeast_ms, kLeast * base_ms, *usual_spread_ms_});
  const bool quiet = now->spread_ms <= kSameSpread * *usual_spread_ms_ + kSameSpread_ms;
  return step > least && quiet ? std::optional(step) : std::nullopt;
}

}  // namespace hopwise::engine
