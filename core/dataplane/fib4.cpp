#include "core/dataplane/fib4.hpp"

#include <algorithm>

#include "core/dataplane/mapped_array.hpp"

namespace hopwise::dataplane {
namespace {

constexpr int kStage = 24;

}  // namespace

Fib4::Fib4(std::span<hw_slots4> slots, std::span<hw_slots4> blocks, GracePeriod wait)
    : slots_(slots),
      blocks_(blocks),
      places_(static_cast<std::uint32_t>(blocks.size() / HW_BLOCK4_ENTRIES), std::move(wait)) {}

void Fib4::write(const Rib<Address4>& rib, Address4 address, int length, std::uint16_t group) {
  const std::uint32_t first = address >> 8;
  if (length > kStage) return write_shared(rib, first);
  rib.slots(
      address, length, kStage,
      [&](std::uint32_t from, std::uint32_t to) {
        for (std::uint32_t i = from; i < to; ++i) put(first + i, group);
      },
      [&](std::uint32_t i) { write_shared(rib, first + i); });
}

void Fib4::put(std::uint32_t index, std::uint16_t value) {
  if (!waiting_.empty()) waiting_.erase(index);
  std::uint16_t& here = slot(index);
  const std::uint16_t before = here;
  if (before == value) return;
  publish_word(here, value);
  if (const std::uint32_t block = block_of(before); block != 0) places_.give_back(block);
}

// A slot in which there are prefixes longer than /24, or were.
void Fib4::write_shared(const Rib<Address4>& rib, std::uint32_t index) {
  const Block want = wanted(rib, index);
  if (std::all_of(want.begin(), want.end(), [&](std::uint16_t g) { return g == want[0]; }))
    return put(index, want[0]);
  std::uint32_t block = block_of(slot(index));
  const bool published = block != 0;
  if (!published) block = places_.take();
  if (block == 0) {
    put(index, HW_ROUTE_KERNEL);
    waiting_.insert(index);
    return;
  }
  for (std::uint32_t i = 0; i < want.size(); ++i)
    if (block_slot(block, i) != want[i]) publish_word(block_slot(block, i), want[i]);
  if (!published) put(index, static_cast<std::uint16_t>(HW_SLOT4_BLOCK | block));
}

Fib4::Block Fib4::wanted(const Rib<Address4>& rib, std::uint32_t index) const {
  const Address4 address = index << 8;
  const auto* base = rib.cover(address, {1, kStage});
  Block want;
  want.fill(base != nullptr ? base->group : uncovered_);
  rib.visit(rib.below(address, kStage), [&](const auto& node) {
    if (node.length > kStage && node.group != HW_ROUTE_NONE)
      std::fill_n(want.begin() + (node.address & 0xff), 1u << (32 - node.length), node.group);
    return true;
  });
  return want;
}

void Fib4::adopt() {
  std::vector<bool> used(places_.count());
  for (std::uint32_t i = 0; i < slots_.size() * 4; ++i) {
    if ((slot(i) & HW_SLOT4_BLOCK) == 0) continue;
    const std::uint32_t block = block_of(slot(i));
    if (block == 0 || block >= used.size() || used[block])
      publish_word(slot(i), HW_ROUTE_KERNEL);  // not what a daemon of ours writes
    else
      used[block] = true;
  }
  places_.adopt(used);
}

void Fib4::write_all(const Rib<Address4>& rib, std::uint16_t uncovered) {
  uncovered_ = uncovered;
  write(rib, 0, 0, uncovered);
  rib.visit_all([&](const auto& node) {
    if (node.length > kStage) return false;  // in a slot that was shared with a shorter one
    if (node.group != HW_ROUTE_NONE && node.length > 0)
      write(rib, node.address, node.length, node.group);
    return true;
  });
}

void Fib4::retry(const Rib<Address4>& rib, std::size_t work) {
  places_.reclaim(!waiting_.empty());
  std::vector<std::uint32_t> some;
  for (auto it = waiting_.begin(); it != waiting_.end() && some.size() < work; ++it)
    some.push_back(*it);
  for (const std::uint32_t index : some) write_shared(rib, index);
}

std::uint16_t Fib4::lookup(Address4 address) const {
  const std::uint16_t first = read_word(slot(address >> 8));
  if ((first & HW_SLOT4_BLOCK) == 0) return first;
  return read_word(block_slot(block_of(first), address & 0xff));
}

bool Fib4::empty() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const hw_slots4& entry) {
    return std::all_of(std::begin(entry.slot), std::end(entry.slot),
                       [](std::uint16_t slot) { return slot == HW_ROUTE_NONE; });
  });
}

}  // namespace hopwise::dataplane
