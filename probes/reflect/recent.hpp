// A table that never holds more than its capacity: what was used longest ago makes room. Pure.
//
// Slots stand in one array; each is in a chain of its hash and in one list by age. All steps take
// constant time, and nothing is allocated once the table is full. Hash must be keyed with what no
// stranger knows, else he chooses keys that chain.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace hopwise::probes {

template <class Key, class Value, class Hash>
class Recent {
 public:
  Recent(std::size_t capacity, Hash hash)
      : hash_(std::move(hash)),
        capacity_(std::max<std::size_t>(capacity, 1)),
        chains_(std::bit_ceil(capacity_), kNone) {}

  /// The value of `key`, made by `Value{}` where there is none. It is the newest from now on; the
  /// reference holds until the next call.
  Value& at(const Key& key) {
    const std::size_t chain = chain_of(key);
    Index found = chains_[chain];
    while (found != kNone && slots_[found].key != key) found = slots_[found].next;
    if (found == kNone) return slots_[insert(key, chain)].value;
    if (found != newest_) {
      leave_age(found);
      make_newest(found);
    }
    return slots_[found].value;
  }

  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = ~Index{0};
  struct Slot {
    Key key;
    Value value;
    Index next = kNone;  // of the chain
    Index older = kNone, newer = kNone;
  };

  [[nodiscard]] std::size_t chain_of(const Key& key) const {
    return hash_(key) & (chains_.size() - 1);
  }

  Index insert(const Key& key, std::size_t chain) {
    Index at = static_cast<Index>(slots_.size());
    if (slots_.size() < capacity_) {
      slots_.push_back({key, Value{}});
    } else {
      at = oldest_;
      leave_age(at);
      leave_chain(at);
      slots_[at] = {key, Value{}};
      forgotten_++;
    }
    slots_[at].next = chains_[chain];
    chains_[chain] = at;
    make_newest(at);
    return at;
  }

  void leave_chain(Index at) {
    Index* link = &chains_[chain_of(slots_[at].key)];
    while (*link != at) link = &slots_[*link].next;
    *link = slots_[at].next;
  }

  void leave_age(Index at) {
    const Slot& slot = slots_[at];
    (slot.older == kNone ? oldest_ : slots_[slot.older].newer) = slot.newer;
    (slot.newer == kNone ? newest_ : slots_[slot.newer].older) = slot.older;
  }

  void make_newest(Index at) {
    slots_[at].older = newest_;
    slots_[at].newer = kNone;
    (newest_ == kNone ? oldest_ : slots_[newest_].newer) = at;
    newest_ = at;
  }

  Hash hash_;
  std::size_t capacity_;
  std::vector<Index> chains_;
  std::vector<Slot> slots_;
  Index oldest_ = kNone, newest_ = kNone;
  std::uint64_t forgotten_ = 0;
};

}  // namespace hopwise::probes
