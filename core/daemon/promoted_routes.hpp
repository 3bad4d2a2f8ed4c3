// Prefixes that have a group of their own, each below the route that offers its nexthops, and what
// a change of routing means for them. Pure.
//
// A promoted prefix is as long as its route or longer. It lives by that route alone: it follows
// when the route's nexthops change, and ends when the route does, or when routing announces
// something between the two, or the prefix itself: then routing says something of its own of these
// destinations. Longer routes need nothing: they win by being longer.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/model/path.hpp"

namespace hopwise {

class PromotedRoutes {
 public:
  struct Entry {
    Prefix route;
    GroupId group{};
  };

  /// `entry.route` contains `prefix`.
  void set(const Prefix& prefix, const Entry& entry) { entries_[prefix] = entry; }
  void erase(const Prefix& prefix) { entries_.erase(prefix); }
  [[nodiscard]] const Entry* find(const Prefix& prefix) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const std::map<Prefix, Entry>& all() const { return entries_; }

  /// Those that live by exactly this route.
  [[nodiscard]] std::vector<Prefix> below(const Prefix& route) const;
  /// Those that a route to this prefix takes away from a shorter one.
  [[nodiscard]] std::vector<Prefix> taken_by(const Prefix& route) const;

 private:
  template <class Wanted>
  [[nodiscard]] std::vector<Prefix> within(const Prefix& route, const Wanted& wanted) const;

  std::map<Prefix, Entry> entries_;  // by address: what is within a prefix is one stretch
};

/// What traffic to an address is counted as: the address' /24 or /48, or the route's own prefix
/// where that is longer.
Prefix destination_prefix(const IpAddress& destination, const Prefix& route);

}  // namespace hopwise
