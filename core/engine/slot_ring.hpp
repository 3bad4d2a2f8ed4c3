// The last stretch of time in equal slots, the oldest forgotten first.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/model/time.hpp"

namespace hopwise::engine {

/// The last `window` of time in equal slots, oldest forgotten first; resolution is window/20.
template <class Slot>
class SlotRing {
 public:
  static constexpr std::int64_t kSlots = 20;

  explicit SlotRing(Duration window) : width_(std::max<std::int64_t>(1, window.count() / kSlots)) {}

  /// The slot of `at`; null when it lies before the window. A later time moves the window.
  Slot* find(TimePoint at) {
    const std::int64_t number = at.time_since_epoch().count() / width_;
    if (number > newest_ + kSlots || newest_ < 0)
      slots_.fill({});
    else
      for (std::int64_t n = newest_ + 1; n <= number; ++n) slots_[n % kSlots] = {};
    newest_ = std::max(newest_, number);
    return number <= newest_ - kSlots || number < 0 ? nullptr : &slots_[number % kSlots];
  }
  [[nodiscard]] const std::array<Slot, kSlots>& slots() const { return slots_; }
  /// Calls `visit` with each slot that is not over at `now`, and the time at which it begins.
  template <class Visit>
  void each_at(TimePoint now, Visit visit) const {
    const std::int64_t last = now.time_since_epoch().count() / width_;
    for (std::int64_t n = std::max({newest_, last, kSlots - 1}) - kSlots + 1; n <= newest_; ++n)
      visit(slots_[n % kSlots], TimePoint(Duration(n * width_)));
  }
  /// Calls `visit` with each slot that began at `since` or later.
  template <class Visit>
  void each_since(TimePoint since, Visit visit) const {
    const std::int64_t first = (since.time_since_epoch().count() + width_ - 1) / width_;
    for (std::int64_t n = std::max({first, newest_ - kSlots + 1, std::int64_t{0}}); n <= newest_;
         ++n)
      visit(slots_[n % kSlots]);
  }

 private:
  std::int64_t width_;
  std::int64_t newest_ = -1;
  std::array<Slot, kSlots> slots_{};
};

}  // namespace hopwise::engine
