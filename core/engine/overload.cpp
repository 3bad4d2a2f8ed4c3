#include "core/engine/overload.hpp"

#include <algorithm>

namespace hopwise::engine {
namespace {

using std::chrono::minutes;

constexpr double kCut = 0.9;
constexpr double kGrowth = 0.005;  // a minute

constexpr Duration kDrain = std::chrono::milliseconds(300);  // flows end, then queues empty
constexpr Duration kVerdict = std::chrono::seconds(1);
constexpr Duration kPatience = std::chrono::seconds(2);  // with a queue that shrinks
constexpr double kSame = 0.9;
// A queue under a load that changes by 1 % in a second passes its height by 5 ms in that time.
constexpr Duration kStillFor = std::chrono::milliseconds(1500);
constexpr double kStill = 0.05;
constexpr double kStill_ms = 1;

constexpr Duration kFirstHold = minutes(1);
constexpr Duration kLongestHold = minutes(60);
constexpr Duration kClean = minutes(10);

}  // namespace

void Cap::cut(double share, double least, TimePoint now) {
  share_ = std::max(kCut * share, least);
  since_ = now;
}

double Cap::at(TimePoint now) const {
  if (!since_) return 1;
  const auto grown = std::chrono::duration_cast<minutes>(now - *since_).count();
  return std::min(share_ + kGrowth * static_cast<double>(grown), 1.0);
}

TimePoint Relief::drained() const {
  return at + kDrain;
}

bool Relief::vain(std::optional<double> queue, TimePoint now) const {
  if (!queue || now - at < kVerdict) return false;
  return *queue >= kSame * queue_ms || now - at >= kPatience;
}

bool Yield::stands(TimePoint now) const {
  return now - at >= kStillFor && most_ms - least_ms <= std::max(kStill_ms, kStill * most_ms);
}

void OverloadHold::begin(TimePoint now) {
  if (until_ && now - *until_ > std::max(length_, kClean)) bounces_ = 0;
  ++bounces_;
  length_ = bounces_ == 1 ? kFirstHold : std::min(2 * length_, kLongestHold);
  until_ = now + length_;
}

}  // namespace hopwise::engine
