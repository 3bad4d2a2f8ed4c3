// The IPv4 routes as the programs read them (bpf/abi.h: hw_routes4, hw_blocks4): DIR-24-8. A slot
// of the first stage holds the group of its /24, or the number of a block of 256 slots where
// prefixes longer than /24 make them differ. The arrays follow from the Rib alone: a change writes
// the slots in which the changed prefix is the longest. A slot is one store, a block is filled
// before it is published, so that every address has its old or its new group at any time. Where no
// block is left, the whole /24 is the kernel's, and waits.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>

#include "bpf/abi.h"
#include "core/dataplane/places.hpp"
#include "core/dataplane/rib.hpp"

namespace hopwise::dataplane {

class Fib4 {
 public:
  Fib4(std::span<hw_slots4> slots, std::span<hw_slots4> blocks, GracePeriod wait);

  /// Writes the slots in which this prefix is the longest, longer than /0: after a change of it in
  /// `rib`, `group` being what it or, without it, the next shorter one has (never that of /0).
  void write(const Rib<Address4>& rib, Address4 address, int length, std::uint16_t group);
  /// Makes what another daemon has left right, first by the block numbers in use (adopt), then slot
  /// by slot. `uncovered` stands where no prefix longer than /0 does.
  void adopt();
  void write_all(const Rib<Address4>& rib, std::uint16_t uncovered);
  void retry(const Rib<Address4>& rib, std::size_t work);

  /// What a program finds; HW_ROUTE_NONE: the default route.
  [[nodiscard]] std::uint16_t lookup(Address4 address) const;
  [[nodiscard]] bool empty() const;
  /// The prefix is the kernel's for want of a block.
  [[nodiscard]] bool waits(Address4 address, int length) const {
    return length > 24 && waiting_.contains(address >> 8);
  }
  /// /24s that are.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] const Places& blocks() const { return places_; }

 private:
  using Block = std::array<std::uint16_t, 256>;
  std::uint16_t& slot(std::uint32_t index) const { return slots_[index / 4].slot[index % 4]; }
  std::uint16_t& block_slot(std::uint32_t block, std::uint32_t index) const {
    return blocks_[block * HW_BLOCK4_ENTRIES + index / 4].slot[index % 4];
  }
  static std::uint32_t block_of(std::uint16_t slot) {
    return (slot & HW_SLOT4_BLOCK) != 0 ? slot & ~HW_SLOT4_BLOCK : 0;
  }
  void put(std::uint32_t index, std::uint16_t value);
  void write_shared(const Rib<Address4>& rib, std::uint32_t index);
  [[nodiscard]] Block wanted(const Rib<Address4>& rib, std::uint32_t index) const;

  std::span<hw_slots4> slots_;
  std::span<hw_slots4> blocks_;
  Places places_;
  std::set<std::uint32_t> waiting_;
  std::uint16_t uncovered_ = HW_ROUTE_NONE;
};

}  // namespace hopwise::dataplane
