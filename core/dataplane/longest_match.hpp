// The longest match of every address, from a sorted list of prefixes alone: a sweep along the
// addresses with a stack of the prefixes that cover the place where it is. Nothing is looked up and
// nothing is built, so it takes one pass and a stack of at most 129.
//
// It is what `hopwise verify` believes: the arrays that the programs read are filled by other code
// (rib, fib4, fib6), from the same routes in whatever order they came.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/dataplane/rib.hpp"

namespace hopwise::dataplane {

/// A prefix and what it leads to: a number of the caller's.
template <class Address>
struct RouteTo {
  Address address = 0;  // bits beyond the length are zero
  std::uint8_t length = 0;
  std::uint32_t to = 0;

  [[nodiscard]] Address last() const {
    return static_cast<Address>(address | ~leading<Address>(length));
  }
};

/// In order of address, a prefix before what it covers.
template <class Address>
void sort_routes(std::vector<RouteTo<Address>>& routes) {
  std::sort(routes.begin(), routes.end(), [](const auto& a, const auto& b) {
    return a.address != b.address ? a.address < b.address : a.length < b.length;
  });
}

template <class Address>
class LongestMatch {
 public:
  /// `routes`: sorted; each prefix once.
  explicit LongestMatch(const std::vector<RouteTo<Address>>& routes) : routes_(routes) {}

  struct Segment {
    std::optional<std::size_t> route;  // index of the longest match; empty: none covers it
    Address last;                      // up to here it is the same
  };
  /// At an address, and behind it. Addresses never go down from one call to the next.
  Segment at(Address address) {
    leave(address);
    while (next_ < routes_.size() && routes_[next_].address <= address) {
      if (routes_[next_].last() >= address) covering_.push_back(next_);
      ++next_;
    }
    Segment segment{std::nullopt, static_cast<Address>(~Address{0})};
    if (!covering_.empty()) segment = {covering_.back(), routes_[covering_.back()].last()};
    if (next_ < routes_.size())
      segment.last =
          std::min<Address>(segment.last, static_cast<Address>(routes_[next_].address - 1));
    return segment;
  }

 private:
  void leave(Address address) {
    while (!covering_.empty() && routes_[covering_.back()].last() < address) covering_.pop_back();
  }

  const std::vector<RouteTo<Address>>& routes_;
  std::size_t next_ = 0;
  std::vector<std::size_t> covering_;  // the longest last
};

}  // namespace hopwise::dataplane
