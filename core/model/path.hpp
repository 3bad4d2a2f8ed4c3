// Nexthops, groups and paths: the nouns that every module shares.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise {

/// Small dense integers, given out by routes::Groups, from 1. They index the BPF maps.
enum class NexthopId : std::uint32_t {};
enum class GroupId : std::uint32_t {};
enum class PathId : std::uint32_t {};

template <class Id>
requires std::is_enum_v<Id>
constexpr std::uint32_t raw(Id id) {
  return static_cast<std::uint32_t>(id);
}

using EthernetAddress = std::array<std::uint8_t, 6>;

/// What makes a nexthop this nexthop: a gateway's address on an interface. A gateway of the other
/// family than the route's is allowed (RFC 8950).
struct NexthopKey {
  std::uint32_t ifindex = 0;
  IpAddress gateway;

  auto operator<=>(const NexthopKey&) const = default;
};

struct Nexthop {
  NexthopId id{};
  NexthopKey key;
  std::string interface;  // name of key.ifindex
  std::string name;       // the configuration's name, else "GATEWAY@INTERFACE"
};

/// A (group, nexthop) pair: what is weighted. `kernel_weight` is routing's own ECMP weight; 0: a
/// candidate, which BGP has told of and the kernel's route does not use. A group has one that is
/// not 0.
struct Path {
  PathId id{};
  NexthopId nexthop{};
  std::uint32_t kernel_weight = 1;

  bool operator==(const Path&) const = default;
};

/// What part of the traffic to a set of nexthops a group is for: of one class, or to one prefix.
/// Neither: all that has no group of its own.
struct Variant {
  std::uint8_t traffic_class = 0;       // 0: what no rule puts into a class
  std::optional<Prefix> destination{};  // that has weights of its own

  auto operator<=>(const Variant&) const = default;
};

/// A set of destinations that share nexthops. Paths are in the order of their nexthops' keys.
struct Group {
  GroupId id{};
  std::vector<Path> paths;
  Variant variant{};

  bool operator==(const Group&) const = default;
};

/// How many of each the data plane's tables hold. Ids run from 1 to these.
struct Limits {
  std::uint32_t nexthops = 0;
  std::uint32_t groups = 0;
  std::uint32_t paths = 0;
  std::uint32_t group_paths = 0;  // of one group
  std::uint32_t buckets = 0;      // of one group
  std::uint32_t classes = 0;      // of traffic, beside that of what no rule matches
  std::uint32_t class_rules = 0;
};

}  // namespace hopwise

template <>
struct std::hash<hopwise::NexthopKey> {
  std::size_t operator()(const hopwise::NexthopKey& k) const noexcept {
    return std::hash<hopwise::IpAddress>{}(k.gateway) * 31 + k.ifindex;
  }
};
