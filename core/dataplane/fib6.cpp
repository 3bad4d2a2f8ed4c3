#include "core/dataplane/fib6.hpp"

#include <algorithm>

#include "core/dataplane/mapped_array.hpp"

namespace hopwise::dataplane {
namespace {

constexpr int kFirst = HW_ROUTES6_BITS;  // where stage 0 ends
constexpr int kStep = HW_NODE6_BITS;

/// Where the stage ends in which prefixes of this length do.
constexpr int end_of(int length) {
  return length <= kFirst ? kFirst : (length - kFirst + kStep - 1) / kStep * kStep + kFirst;
}
/// The shortest prefix, but /0, that ends in the stage that ends at `end`.
constexpr int shortest_in(int end) {
  return end == kFirst ? 1 : end - kStep + 1;
}

std::uint32_t child_of(std::uint32_t slot) {
  return slot >> HW_SLOT6_CHILD;
}
std::uint32_t slot_value(std::uint32_t child, std::uint16_t group) {
  return child << HW_SLOT6_CHILD | group;
}

bool longer_than(const Rib<Address6>::Node& node, int end) {
  return node.length > end || node.child[0] != 0 || node.child[1] != 0;
}

}  // namespace

Fib6::Fib6(std::span<hw_slots6> slots, std::span<hw_node6> nodes, GracePeriod wait)
    : slots_(slots),
      nodes_(nodes),
      places_(static_cast<std::uint32_t>(nodes.size()), std::move(wait)) {}

void Fib6::write(const Tree& rib, Address6 address, int length) {
  const int end = end_of(length);
  std::array<std::uint32_t*, (128 - kFirst) / kStep + 1> way{};
  std::size_t stage = 0;
  int at = kFirst;
  way[0] = &first_slot(static_cast<std::uint32_t>(address >> (128 - kFirst)));
  for (; at < end && child_of(*way[stage]) != 0; ++stage, at += kStep)
    way[stage + 1] = &nodes_[child_of(*way[stage])].slot[index(address, at + kStep)];

  if (at < end) {
    settle(rib, *way[stage], place(address, at));
  } else {  // at == end
    const std::uint16_t group = group_of(rib, place(address, at), length);
    const auto put = [&](std::uint32_t i) {
      std::uint32_t& slot =
          at == kFirst ? first_slot(static_cast<std::uint32_t>(address >> (128 - kFirst)) + i)
                       : way[stage][i];
      put_group(slot, {address + (Address6{i} << (128 - at)), at}, group);
    };
    rib.slots(
        address, length, at,
        [&](std::uint32_t from, std::uint32_t to) {
          for (std::uint32_t i = from; i < to; ++i) put(i);
        },
        put);
  }

  for (; stage > 0; --stage) {  // nodes that hold nothing any more
    std::uint32_t& up = *way[stage - 1];
    const auto& slots = nodes_[child_of(up)].slot;
    if (std::any_of(std::begin(slots), std::end(slots), [](std::uint32_t s) { return s != 0; }))
      break;
    const std::uint32_t node = child_of(up);
    publish_word(up, up & HW_SLOT6_GROUP);
    places_.give_back(node);
  }
}

// The longest prefix of up to `longest` bits that ends in the place's stage and covers it.
std::uint16_t Fib6::group_of(const Tree& rib, const Place& place, int longest) const {
  const auto* owner = rib.cover(place.address, {shortest_in(place.length), longest});
  if (owner != nullptr) return owner->group;
  return place.length == kFirst ? uncovered_ : HW_ROUTE_NONE;
}

void Fib6::put_group(std::uint32_t& slot, const Place& place, std::uint16_t group) {
  if (!waiting_.empty() && waiting_.contains(place)) return;
  const std::uint32_t value = slot_value(child_of(slot), group);
  if (slot != value) publish_word(slot, value);
}

// A slot that leads to no node, or to one that is to be discarded: should it, and can it?
void Fib6::settle(const Tree& rib, std::uint32_t& slot, const Place& place) {
  const std::uint32_t top = rib.below(place.address, place.length);
  std::uint16_t group = group_of(rib, place, place.length);
  std::uint32_t child = 0;
  waiting_.erase(place);
  if (top != 0 && longer_than(rib.node(top), place.length)) {
    child = build(rib, top, place.length + kStep);
    if (child == 0) {
      waiting_.insert(place);
      group = HW_ROUTE_KERNEL;
    }
  }
  const std::uint32_t value = slot_value(child, group);
  if (slot != value) publish_word(slot, value);
}

// `top` and all below it lie in one slot of the stage before; only what is longer than that counts.
Fib6::Plan Fib6::plan(const Tree& rib, std::uint32_t top, int end) {
  Plan plan;
  rib.visit(top, [&](const Tree::Node& node) {
    if (node.length < shortest_in(end)) return true;
    const std::uint32_t first = index(node.address, end);
    if (node.length <= end && node.group != HW_ROUTE_NONE)
      std::fill_n(plan.group.begin() + first, 1u << (end - node.length), node.group);
    if (node.length < end) return true;
    if (longer_than(node, end)) plan.longer[first] = rib.index(node);
    return false;
  });
  return plan;
}

// A node as planned, with all that it leads to, which no program sees yet. 0: no node is left.
std::uint32_t Fib6::build(const Tree& rib, std::uint32_t top, int end) {
  const std::uint32_t built = places_.take();
  if (built == 0) return 0;
  const Plan want = plan(rib, top, end);
  for (std::size_t i = 0; i < kSlots; ++i) {
    std::uint32_t child = 0;
    std::uint16_t group = want.group[i];
    if (want.longer[i] != 0) {
      child = build(rib, want.longer[i], end + kStep);
      if (child == 0) {
        waiting_.insert(place(rib.node(want.longer[i]).address, end));
        group = HW_ROUTE_KERNEL;
      }
    }
    nodes_[built].slot[i] = slot_value(child, group);
  }
  return built;
}

bool Fib6::same(const Tree& rib, std::uint32_t top, int end, std::uint32_t node) const {
  if ((top != 0) != (node != 0)) return false;
  if (top == 0) return true;
  const Plan want = plan(rib, top, end);
  for (std::size_t i = 0; i < kSlots; ++i) {
    const std::uint32_t slot = nodes_[node].slot[i];
    if ((slot & HW_SLOT6_GROUP) != want.group[i] ||
        !same(rib, want.longer[i], end + kStep, child_of(slot)))
      return false;
  }
  return true;
}

void Fib6::discard(std::uint32_t node) {
  if (node == 0) return;
  for (const std::uint32_t slot : nodes_[node].slot) discard(child_of(slot));
  places_.give_back(node);
}

void Fib6::adopt() {
  std::vector<bool> used(places_.count());
  for (std::uint32_t i = 0; i < 1u << kFirst; ++i) mark(first_slot(i), kFirst, used);
  places_.adopt(used);
}

void Fib6::mark(std::uint32_t& slot, int end, std::vector<bool>& used) const {
  const std::uint32_t node = child_of(slot);
  if (node == 0) return;
  if (node >= used.size() || used[node] || end == 128)
    return publish_word(slot, HW_ROUTE_KERNEL);  // not what a daemon of ours writes
  used[node] = true;
  for (std::uint32_t& next : nodes_[node].slot) mark(next, end + kStep, used);
}

void Fib6::write_all(const Tree& rib, std::uint16_t uncovered) {
  uncovered_ = uncovered;
  waiting_.clear();
  std::vector<std::uint16_t> groups(1u << kFirst, uncovered);
  std::vector<std::uint32_t> longer(1u << kFirst);
  rib.visit_all([&](const Tree::Node& node) {
    const auto first = static_cast<std::uint32_t>(node.address >> (128 - kFirst));
    if (node.length > 0 && node.length <= kFirst && node.group != HW_ROUTE_NONE)
      std::fill_n(groups.begin() + first, 1u << (kFirst - node.length), node.group);
    if (node.length < kFirst) return true;
    if (longer_than(node, kFirst)) longer[first] = rib.index(node);
    return false;
  });
  for (std::uint32_t i = 0; i < 1u << kFirst; ++i) {
    std::uint32_t& slot = first_slot(i);
    const std::uint32_t before = child_of(slot);
    if (same(rib, longer[i], kFirst + kStep, before)) {
      const std::uint32_t value = slot_value(before, groups[i]);
      if (slot != value) publish_word(slot, value);
      continue;
    }
    settle(rib, slot, {Address6{i} << (128 - kFirst), kFirst});
    discard(before);
  }
}

void Fib6::retry(const Tree& rib, std::size_t work) {
  places_.reclaim(!waiting_.empty());
  std::vector<Place> some;
  for (auto it = waiting_.begin(); it != waiting_.end() && some.size() < work; ++it)
    some.push_back(*it);
  for (const Place& place : some) settle(rib, slot_of(place), place);
}

std::uint32_t& Fib6::slot_of(const Place& place) const {
  std::uint32_t* slot = &first_slot(static_cast<std::uint32_t>(place.address >> (128 - kFirst)));
  for (int end = kFirst + kStep; end <= place.length; end += kStep)
    slot = &nodes_[child_of(*slot)].slot[index(place.address, end)];
  return *slot;
}

std::uint16_t Fib6::lookup(Address6 address) const {
  std::uint32_t slot = read_word(first_slot(static_cast<std::uint32_t>(address >> (128 - kFirst))));
  std::uint32_t group = slot & HW_SLOT6_GROUP;
  for (int end = kFirst + kStep; end <= 128 && child_of(slot) != 0; end += kStep) {
    slot = read_word(nodes_[child_of(slot)].slot[index(address, end)]);
    if ((slot & HW_SLOT6_GROUP) != HW_ROUTE_NONE) group = slot & HW_SLOT6_GROUP;
  }
  return static_cast<std::uint16_t>(group);
}

bool Fib6::empty() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const hw_slots6& entry) {
    return entry.slot[0] == 0 && entry.slot[1] == 0;
  });
}

bool Fib6::waits(Address6 address, int length) const {
  if (waiting_.empty()) return false;
  for (int end = kFirst; end < length; end += kStep)
    if (waiting_.contains(place(address, end))) return true;
  return false;
}

}  // namespace hopwise::dataplane
