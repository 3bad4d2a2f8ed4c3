// A timer wheel: which of many numbered items is due next. Pure: time is an argument.
//
// 4096 slots of one millisecond, each a list threaded through the items' own nodes; a bitmap tells
// which slots hold something, so the next one is found without walking the empty ones. Setting,
// moving and removing an item cost the same however many there are, and allocate nothing once the
// highest number has been seen (Varghese and Lauck, SOSP 1987, scheme 6). What is further away than
// the wheel turns once waits in its last slot and is put on when that comes by.
//
// An item is never given out before it is due, and at the latest by a look one tick after.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/model/time.hpp"

namespace hopwise::probes {

class Wheel {
 public:
  using Item = std::uint32_t;  // small and dense: each costs a node
  static constexpr Duration kTick = std::chrono::milliseconds(1);
  static constexpr std::uint32_t kSlots = 4096;

  explicit Wheel(TimePoint origin) : origin_(origin) { heads_.fill(kNone); }

  /// `item` is due at that time, and no longer at another.
  void set(Item item, TimePoint due);
  void remove(Item item);
  /// Takes out an item that is due; call it until it gives nothing. `now` never runs backwards.
  std::optional<Item> take(TimePoint now);
  /// When to look again: at most a tick after the first is due, and for one that is very far away
  /// sooner. Nothing when empty.
  [[nodiscard]] std::optional<TimePoint> next() const;

 private:
  static constexpr std::uint32_t kNone = ~0U;
  static constexpr std::uint32_t kWords = kSlots / 64;
  struct Node {
    std::int64_t tick = 0;
    std::uint32_t slot = kNone;  // none: not in the wheel
    Item before = kNone, after = kNone;
  };

  void link(Item item);
  void unlink(Item item);
  [[nodiscard]] std::optional<std::int64_t> next_tick() const;

  TimePoint origin_;
  std::int64_t hand_ = 0;  // what is due in earlier ticks has been taken
  std::vector<Node> nodes_;
  std::array<Item, kSlots> heads_{};
  std::array<std::uint64_t, kWords> filled_{};  // a bit a slot
};

}  // namespace hopwise::probes
