#include "core/dataplane/rib.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace hopwise::dataplane {

IpAddress address_of(Address4 bits) {
  IpAddress address{Family::v4, {}};
  bits = htonl(bits);
  std::memcpy(address.bytes.data(), &bits, sizeof(bits));
  return address;
}

IpAddress address_of(Address6 bits) {
  IpAddress address{Family::v6, {}};
  for (auto byte = address.bytes.rbegin(); byte != address.bytes.rend(); ++byte, bits >>= 8)
    *byte = static_cast<std::uint8_t>(bits);
  return address;
}

template <class Address>
std::uint32_t Rib<Address>::add(const Node& node) {
  if (unused_ == 0) {
    nodes_.push_back(node);
    return static_cast<std::uint32_t>(nodes_.size() - 1);
  }
  const std::uint32_t index = unused_;
  unused_ = nodes_[index].child[0];
  nodes_[index] = node;
  return index;
}

template <class Address>
bool Rib<Address>::set(Address address, int length, std::uint16_t group) {
  const auto bits = static_cast<std::uint8_t>(length);
  std::uint32_t parent = 0, here = root(address, length);
  while (here != 0 && nodes_[here].length < length && covers(nodes_[here], address)) {
    parent = here;
    here = nodes_[here].child[side(nodes_[here], address)];
  }
  if (here != 0 && nodes_[here].length == length && nodes_[here].address == address) {
    if (nodes_[here].group == group) return false;
    if (nodes_[here].group == 0) ++routes_;
    nodes_[here].group = group;
    return true;
  }

  ++routes_;
  std::uint32_t added = add({address, {}, group, bits});
  if (here != 0) {
    // `here` goes below the new node, or both below a fork where they part.
    const Address other = nodes_[here].address;
    const int common = std::min({common_length(address, other), length, int{nodes_[here].length}});
    const std::uint32_t route = added;
    if (common < length)
      added = add({address & leading<Address>(common), {}, 0, static_cast<std::uint8_t>(common)});
    Node& top = nodes_[added];
    top.child[side(top, other)] = here;
    if (common < length) top.child[side(top, address)] = route;
  }
  link(parent, nodes_[added]) = added;
  return true;
}

template <class Address>
bool Rib<Address>::remove(Address address, int length) {
  std::uint32_t grandparent = 0, parent = 0, here = root(address, length);
  while (here != 0 && nodes_[here].length < length && covers(nodes_[here], address)) {
    grandparent = parent;
    parent = here;
    here = nodes_[here].child[side(nodes_[here], address)];
  }
  if (here == 0 || nodes_[here].length != length || nodes_[here].address != address ||
      nodes_[here].group == 0)
    return false;
  --routes_;
  nodes_[here].group = 0;
  splice(parent, here);
  if (parent != 0) splice(grandparent, parent);
  return true;
}

// Takes out a node that is no route and no fork any more.
template <class Address>
void Rib<Address>::splice(std::uint32_t parent, std::uint32_t index) {
  const Node node = nodes_[index];
  if (node.group != 0 || (node.child[0] != 0 && node.child[1] != 0)) return;
  link(parent, node) = node.child[0] | node.child[1];
  nodes_[index].child[0] = unused_;
  unused_ = index;
}

template <class Address>
auto Rib<Address>::cover(Address address, Lengths lengths) const -> const Node* {
  const Node* longest = nullptr;
  if (lengths.to >= kIndex) longest = cover_from(long_[index_of(address)], address, lengths);
  return longest != nullptr ? longest : cover_from(short_, address, lengths);
}

template <class Address>
auto Rib<Address>::cover_from(std::uint32_t root, Address address, Lengths lengths) const
    -> const Node* {
  const Node* longest = nullptr;
  for (std::uint32_t here = root; here != 0;) {
    const Node& node = nodes_[here];
    if (node.length > lengths.to || !covers(node, address)) break;
    if (node.group != 0 && node.length >= lengths.from) longest = &node;
    if (node.length == kBits<Address>) break;
    here = node.child[side(node, address)];
  }
  return longest;
}

template <class Address>
std::uint32_t Rib<Address>::below_from(std::uint32_t root, Address address, int length) const {
  std::uint32_t here = root;
  while (here != 0 && nodes_[here].length < length) {
    if (!covers(nodes_[here], address)) return 0;
    here = nodes_[here].child[side(nodes_[here], address)];
  }
  if (here == 0 || ((nodes_[here].address ^ address) & leading<Address>(length)) != 0) return 0;
  return here;
}

template class Rib<Address4>;
template class Rib<Address6>;

}  // namespace hopwise::dataplane
