// What hopwise tells of single routes, page by page: the API's answer and the command line's
// question. Plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/path.hpp"

namespace hopwise {

/// Why a route is steered, or left to the kernel.
enum class RouteBecause : std::uint8_t {
  steered,
  own,         // local, on-link, blackhole, or a set that cannot be steered to
  single,      // one nexthop
  filtered,    // the configuration's routes.only or routes.except
  forwarding,  // the kernel does not forward this family
  too_large,   // more nexthops than a group may have
  no_ids,      // no id of a group, path or nexthop is left
};
/// For people and JSON: "one nexthop".
std::string_view text(RouteBecause because);

struct RouteNexthop {
  std::string name;
  std::uint32_t kernel_weight = 1;  // 0: a candidate
};

struct RouteEntry {
  Prefix prefix;
  std::optional<GroupId> group{};  // empty: left to the kernel
  RouteBecause because = RouteBecause::steered;
  /// A destination with a group of its own, below this route of routing's.
  std::optional<Prefix> promoted_below{};
  std::vector<RouteNexthop> nexthops{};  // of what is left to the kernel; else the group's
};

enum class RoutesShown : std::uint8_t { all, steered, left_to_kernel };

struct RouteQuery {
  std::optional<IpAddress> match{};  // the longest match of this address alone
  std::optional<Prefix> exact{};     // this prefix alone
  std::optional<Prefix> within{};    // this prefix and what is below
  std::optional<Prefix> after{};     // in the order of family, address and length
  std::optional<Family> family{};
  std::optional<GroupId> group{};
  std::string nexthop{};  // name, id or gateway: that may carry it
  RoutesShown shown = RoutesShown::all;
  bool count_only = false;
  std::uint32_t limit = 500;
};

struct RoutePage {
  std::vector<RouteEntry> routes;                       // in order
  std::map<GroupId, std::vector<RouteNexthop>> groups;  // of these routes
  std::uint64_t counted = 0;                            // that fit, of those looked at
  /// Where the next page begins (as `after`); empty: this is the last. A page may be short, or
  /// empty, and not the last: so many are looked at for one page, and no more.
  std::optional<Prefix> next{};
};

}  // namespace hopwise
