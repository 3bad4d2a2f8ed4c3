// From a hash to slots of a slab, growing without a pause: 256 small tables, of which one is
// rehashed at a time. With a million slots a rehash of one table would hold the loop for 50 ms.
#pragma once

#include <array>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace hopwise::bgp {

/// Elements at fixed numbers, which are used again; memory comes in pieces and is never moved.
template <class T>
class Slab {
 public:
  std::uint32_t take() {
    if (!free_.empty()) {
      const std::uint32_t slot = free_.back();
      free_.pop_back();
      return slot;
    }
    if (size_ % kPiece == 0) pieces_.push_back(std::make_unique<T[]>(kPiece));
    return size_++;
  }
  void give_back(std::uint32_t slot) {
    (*this)[slot] = T{};
    free_.push_back(slot);
  }

  T& operator[](std::uint32_t slot) { return pieces_[slot / kPiece][slot % kPiece]; }
  const T& operator[](std::uint32_t slot) const { return pieces_[slot / kPiece][slot % kPiece]; }

  /// Above every slot that is in use.
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::size_t used() const { return size_ - free_.size(); }

 private:
  static constexpr std::uint32_t kPiece = 4096;
  std::vector<std::unique_ptr<T[]>> pieces_;
  std::vector<std::uint32_t> free_;
  std::uint32_t size_ = 0;
};

/// Slots of a slab by what they hold. `Traits` says, of a T and of what is looked for alike:
/// hash(x) -> std::size_t, well mixed, and same(T, x).
template <class T, class Traits>
class SlotIndex {
 public:
  explicit SlotIndex(const Slab<T>& slab) {
    for (auto& shard : shards_) shard = Set(0, Hash{&slab}, Same{&slab});
  }

  template <class Key>
  [[nodiscard]] std::optional<std::uint32_t> find(const Key& key) const {
    const auto& shard = shards_[shard_of(Traits::hash(key))];
    const auto found = shard.find(key);
    if (found == shard.end()) return std::nullopt;
    return found->number;
  }
  /// The slot must hold what it is to be found by.
  void insert(std::size_t hash, std::uint32_t slot) { shards_[shard_of(hash)].insert(Slot{slot}); }
  void erase(std::size_t hash, std::uint32_t slot) { shards_[shard_of(hash)].erase(Slot{slot}); }

 private:
  struct Slot {
    std::uint32_t number;
  };
  struct Hash {
    using is_transparent = void;
    const Slab<T>* slab;
    std::size_t operator()(Slot slot) const { return Traits::hash((*slab)[slot.number]); }
    template <class Key>
    std::size_t operator()(const Key& key) const {
      return Traits::hash(key);
    }
  };
  struct Same {
    using is_transparent = void;
    const Slab<T>* slab;
    bool operator()(Slot a, Slot b) const { return a.number == b.number; }
    template <class Key>
    bool operator()(Slot a, const Key& key) const {
      return Traits::same((*slab)[a.number], key);
    }
    template <class Key>
    bool operator()(const Key& key, Slot a) const {
      return Traits::same((*slab)[a.number], key);
    }
  };
  using Set = boost::unordered_flat_set<Slot, Hash, Same>;

  static std::size_t shard_of(std::size_t hash) { return hash >> 56U; }

  std::array<Set, 256> shards_{};
};

}  // namespace hopwise::bgp
