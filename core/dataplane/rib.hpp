// Every prefix of one family that is wanted, with its group. It knows what the arrays of bpf/abi.h
// do not: which prefix covers which.
//
// A PATRICIA trie of the short prefixes, and one for each value of the leading 20 bits of the
// longer ones, found by an index: most changes concern those, and each level of a trie of a million
// prefixes is a cache miss. Nodes lie in one vector and name each other by number (16 bytes a node
// for IPv4, 32 for IPv6; at most two nodes a prefix).
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise::dataplane {

using Address4 = std::uint32_t;                    // in the host's byte order,
__extension__ using Address6 = unsigned __int128;  // so that a shift selects leading bits
template <class Address>
constexpr int kBits = 8 * static_cast<int>(sizeof(Address));

/// The `length` leading bits set.
template <class Address>
constexpr Address leading(int length) {
  return length == 0 ? Address{0} : static_cast<Address>(~Address{0} << (kBits<Address> - length));
}

IpAddress address_of(Address4 bits);
IpAddress address_of(Address6 bits);

/// How many leading bits are the same.
constexpr int common_length(Address4 a, Address4 b) {
  return std::countl_zero(a ^ b);
}
constexpr int common_length(Address6 a, Address6 b) {
  const Address6 x = a ^ b;
  const auto high = static_cast<std::uint64_t>(x >> 64);
  return high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<std::uint64_t>(x));
}

template <class Address>
class Rib {
 public:
  struct Node {
    Address address = 0;
    std::uint32_t child[2] = {};  // by the bit after the prefix; 0: none
    std::uint16_t group = 0;      // HW_ROUTE_NONE: no route, only a fork
    std::uint8_t length = 0;
  };

  /// `group` is not HW_ROUTE_NONE. Returns whether anything changed.
  bool set(Address address, int length, std::uint16_t group);
  /// Returns whether the prefix was there.
  bool remove(Address address, int length);

  struct Lengths {
    int from, to;
  };
  /// The longest prefix that covers `address` and has such a length; none: nullptr.
  [[nodiscard]] const Node* cover(Address address, Lengths lengths) const;
  /// The topmost node within a prefix of at least 20 bits: all within lies below. 0: none.
  [[nodiscard]] std::uint32_t below(Address address, int length) const {
    return below_from(long_[index_of(address)], address, length);
  }
  [[nodiscard]] const Node& node(std::uint32_t index) const { return nodes_[index]; }
  [[nodiscard]] std::uint32_t index(const Node& node) const {
    return static_cast<std::uint32_t>(&node - nodes_.data());
  }

  /// `each(node)` for the node and those below it, a prefix before what it covers; what is below a
  /// node for which it returns false is left out.
  template <class Each>
  void visit(std::uint32_t index, const Each& each) const {
    if (index == 0) return;
    const Node& node = nodes_[index];
    if (!each(node)) return;
    visit(node.child[0], each);
    visit(node.child[1], each);
  }
  template <class Each>
  void visit_all(const Each& each) const {
    visit(short_, each);
    for (const std::uint32_t root : long_) visit(root, each);
  }

  /// `each(node)` for the routes in order of address and length, behind this one, until it returns
  /// false. What lies before is passed over in the depth of the tries.
  template <class Each>
  void walk(Address from, int length, const Each& each) const {
    std::uint32_t next = index_of(from);
    const auto long_until = [&](std::uint32_t end) {
      for (; next < end; ++next)
        if (!walk_below(long_[next], from, length, each)) return false;
      return true;
    };
    const bool on = walk_below(short_, from, length, [&](const Node& node) {
      return long_until(index_of(node.address)) && each(node);
    });
    if (on) long_until(1u << kIndex);
  }

  /// The prefix's range, in slots of `end` leading bits counted from its first, without what longer
  /// prefixes of up to `end` bits own: `own(first, last + 1)` for ranges in which this prefix is
  /// the longest, `shared(slot)` for slots in which there are prefixes longer than `end` beside it.
  template <class Own, class Shared>
  void slots(Address address, int length, int end, const Own& own, const Shared& shared) const;

  [[nodiscard]] std::size_t size() const { return routes_; }
  [[nodiscard]] std::size_t bytes() const {
    return nodes_.capacity() * sizeof(Node) + long_.size() * sizeof(std::uint32_t);
  }

 private:
  static bool covers(const Node& node, Address address) {
    return ((node.address ^ address) & leading<Address>(node.length)) == 0;
  }
  static unsigned side(const Node& node, Address address) {
    return static_cast<unsigned>(address >> (kBits<Address> - 1 - node.length)) & 1u;
  }
  std::uint32_t& root(Address address, int length) {
    return length < kIndex ? short_ : long_[index_of(address)];
  }
  static std::uint32_t index_of(Address address) {
    return static_cast<std::uint32_t>(address >> (kBits<Address> - kIndex));
  }
  std::uint32_t& link(std::uint32_t parent, const Node& child) {
    return parent == 0 ? root(child.address, child.length)
                       : nodes_[parent].child[side(nodes_[parent], child.address)];
  }
  template <class Each>
  bool walk_below(std::uint32_t index, Address from, int length, const Each& each) const {
    if (index == 0) return true;
    const Node& node = nodes_[index];
    if (static_cast<Address>(node.address | ~leading<Address>(node.length)) < from) return true;
    const bool behind = node.address > from || (node.address == from && node.length > length);
    if (node.group != 0 && behind && !each(node)) return false;
    return walk_below(node.child[0], from, length, each) &&
           walk_below(node.child[1], from, length, each);
  }
  std::uint32_t below_from(std::uint32_t root, Address address, int length) const;
  const Node* cover_from(std::uint32_t root, Address address, Lengths lengths) const;
  struct Range {
    Address first;
    std::uint32_t count;
  };
  template <class Own, class Shared>
  void gaps(std::uint32_t index, int length, int end, Range range, const Own& own,
            const Shared& shared) const;
  std::uint32_t add(const Node& node);
  void splice(std::uint32_t parent, std::uint32_t index);

  static constexpr int kIndex = 20;
  std::vector<Node> nodes_{1};  // 0 is none
  std::uint32_t short_ = 0;     // the roots
  std::vector<std::uint32_t> long_ = std::vector<std::uint32_t>(std::size_t{1} << kIndex);
  std::uint32_t unused_ = 0;  // linked by child[0]
  std::size_t routes_ = 0;
};

template <class Address>
template <class Own, class Shared>
void Rib<Address>::slots(Address address, int length, int end, const Own& own,
                         const Shared& shared) const {
  const Address first = address >> (kBits<Address> - end);
  const std::uint32_t count = 1u << (end - length);
  if (length >= kIndex)
    return gaps(below(address, length), length, end, {first, count}, own, shared);

  const int step = end - kIndex;  // first by the short prefixes, then by those of each index
  const std::uint32_t index = index_of(address);
  const auto by_index = [&](std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t i = from; i < to; ++i)
      gaps(
          long_[index + i], length, end, {first + (Address{i} << step), 1u << step},
          [&](std::uint32_t a, std::uint32_t b) { own((i << step) + a, (i << step) + b); },
          [&](std::uint32_t slot) { shared((i << step) + slot); });
  };
  gaps(below_from(short_, address, length), length, kIndex,
       {Address{index}, 1u << (kIndex - length)}, by_index, [](std::uint32_t) {});
}

template <class Address>
template <class Own, class Shared>
void Rib<Address>::gaps(std::uint32_t index, int length, int end, Range range, const Own& own,
                        const Shared& shared) const {
  const int shift = kBits<Address> - end;
  std::uint32_t next = 0;
  const auto own_until = [&](std::uint32_t slot) {
    if (next < slot) own(next, slot);
  };
  visit(index, [&](const Node& node) {
    if (node.length <= length) return true;
    const bool longer = node.length > end || (node.length == end && node.group == 0);
    if (!longer && node.group == 0) return true;
    const auto slot = static_cast<std::uint32_t>((node.address >> shift) - range.first);
    own_until(slot);
    if (longer) shared(slot);
    next = slot + (longer ? 1u : 1u << (end - node.length));
    return false;
  });
  own_until(range.count);
}

extern template class Rib<Address4>;
extern template class Rib<Address6>;

}  // namespace hopwise::dataplane
