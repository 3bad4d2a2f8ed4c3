// The IPv6 routes as the programs read them (bpf/abi.h: hw_routes6, hw_nodes6). Stage 0 is an array
// by the first 20 bits; each stage after it is a node of 16 slots, for 4 bits more. A slot holds
// the group of the longest prefix that ends within its stage and covers it, and the node of the
// next stage where there are longer ones. Nothing is pushed down: a change writes one node, or a
// range of stage 0. What is new is built unseen and published by one store, so that every address
// has its old or its new group at any time. Where no node is left, the slot that should lead to it
// is the kernel's, and waits.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "bpf/abi.h"
#include "core/dataplane/places.hpp"
#include "core/dataplane/rib.hpp"

namespace hopwise::dataplane {

class Fib6 {
 public:
  Fib6(std::span<hw_slots6> slots, std::span<hw_node6> nodes, GracePeriod wait);

  /// After this prefix, longer than /0, was set, changed or removed in `rib`.
  void write(const Rib<Address6>& rib, Address6 address, int length);
  /// Makes what another daemon has left right: first by the nodes in use (adopt), then /20 by /20.
  /// What is right stays, the rest is built anew. `uncovered` stands where no prefix of 1 to 20
  /// bits does.
  void adopt();
  void write_all(const Rib<Address6>& rib, std::uint16_t uncovered);
  void retry(const Rib<Address6>& rib, std::size_t work);

  /// What a program finds; HW_ROUTE_NONE: the default route.
  [[nodiscard]] std::uint16_t lookup(Address6 address) const;
  [[nodiscard]] bool empty() const;
  /// The prefix is the kernel's for want of a node.
  [[nodiscard]] bool waits(Address6 address, int length) const;
  /// Slots that are.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] const Places& nodes() const { return places_; }

 private:
  using Tree = Rib<Address6>;
  static constexpr int kSlots = 1 << HW_NODE6_BITS;

  /// What a node should hold: groups, and the Rib's nodes with longer prefixes.
  struct Plan {
    std::array<std::uint16_t, kSlots> group{};
    std::array<std::uint32_t, kSlots> longer{};
  };
  /// A slot, by the leading bits that lead to it.
  struct Place {
    Address6 address;
    int length;
    auto operator<=>(const Place&) const = default;
  };
  static Place place(Address6 address, int length) {
    return {address & leading<Address6>(length), length};
  }
  static std::uint32_t index(Address6 address, int end) {
    return static_cast<std::uint32_t>(address >> (128 - end)) & (kSlots - 1);
  }

  std::uint32_t& first_slot(std::uint32_t i) const { return slots_[i / 2].slot[i % 2]; }
  std::uint32_t& slot_of(const Place& place) const;
  void put_group(std::uint32_t& slot, const Place& place, std::uint16_t group);
  [[nodiscard]] std::uint16_t group_of(const Tree& rib, const Place& place, int longest) const;
  void settle(const Tree& rib, std::uint32_t& slot, const Place& place);

  static Plan plan(const Tree& rib, std::uint32_t top, int end);
  std::uint32_t build(const Tree& rib, std::uint32_t top, int end);
  [[nodiscard]] bool same(const Tree& rib, std::uint32_t top, int end, std::uint32_t node) const;
  void discard(std::uint32_t node);
  void mark(std::uint32_t& slot, int end, std::vector<bool>& used) const;

  std::span<hw_slots6> slots_;
  std::span<hw_node6> nodes_;
  Places places_;
  std::set<Place> waiting_;
  std::uint16_t uncovered_ = HW_ROUTE_NONE;
};

}  // namespace hopwise::dataplane
