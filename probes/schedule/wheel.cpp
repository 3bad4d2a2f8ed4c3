#include "probes/schedule/wheel.hpp"

#include <algorithm>
#include <bit>

namespace hopwise::probes {
namespace {
constexpr std::int64_t kMask = Wheel::kSlots - 1;
}

void Wheel::set(Item item, TimePoint due) {
  if (item >= nodes_.size()) nodes_.resize(std::size_t{item} + 1);
  unlink(item);
  nodes_[item].tick = std::chrono::ceil<std::chrono::milliseconds>(due - origin_).count();
  link(item);
}

void Wheel::remove(Item item) {
  if (item < nodes_.size()) unlink(item);
}

// What is overdue comes with the tick at hand; what is beyond the last slot waits in it.
void Wheel::link(Item item) {
  Node& node = nodes_[item];
  const std::int64_t tick = std::clamp(node.tick, hand_, hand_ + kMask);
  node.slot = static_cast<std::uint32_t>(tick & kMask);
  Item& head = heads_[node.slot];
  node.before = kNone;
  node.after = head;
  if (head != kNone) nodes_[head].before = item;
  head = item;
  filled_[node.slot / 64] |= std::uint64_t{1} << node.slot % 64;
}

void Wheel::unlink(Item item) {
  Node& node = nodes_[item];
  if (node.slot == kNone) return;
  Item& head = heads_[node.slot];
  if (node.before != kNone)
    nodes_[node.before].after = node.after;
  else
    head = node.after;
  if (node.after != kNone) nodes_[node.after].before = node.before;
  if (head == kNone) filled_[node.slot / 64] &= ~(std::uint64_t{1} << node.slot % 64);
  node.slot = kNone;
}

std::optional<Wheel::Item> Wheel::take(TimePoint now) {
  const std::int64_t present = std::chrono::floor<std::chrono::milliseconds>(now - origin_).count();
  for (;;) {
    const auto next = next_tick();
    if (!next || *next > present) break;
    hand_ = *next;
    const Item item = heads_[hand_ & kMask];
    unlink(item);
    if (nodes_[item].tick <= hand_) return item;
    link(item);
  }
  hand_ = std::max(hand_, present + 1);
  return {};
}

std::optional<std::int64_t> Wheel::next_tick() const {
  const auto slot = static_cast<std::uint32_t>(hand_ & kMask);
  // The hand's own word is looked at twice: first from the hand on, in the end before it.
  std::uint64_t word = filled_[slot / 64] & ~std::uint64_t{0} << slot % 64;
  for (std::uint32_t i = 0; i <= kWords; word = filled_[(slot / 64 + ++i) % kWords]) {
    if (word == 0) continue;
    const std::uint32_t found =
        (slot / 64 + i) % kWords * 64 + static_cast<std::uint32_t>(std::countr_zero(word));
    return hand_ + ((found - slot) & kMask);
  }
  return {};
}

std::optional<TimePoint> Wheel::next() const {
  const auto tick = next_tick();
  if (!tick) return {};
  return origin_ + *tick * kTick;
}

}  // namespace hopwise::probes
