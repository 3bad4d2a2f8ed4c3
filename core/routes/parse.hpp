// Kernel messages as plain data. Pure: bytes in, values out.
//
// Nothing is read beyond the message's own length. A message whose attributes do not fit, or have a
// size that their type does not have, yields nothing; so does one that says nothing about routing.
#pragma once

#include <linux/netlink.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "core/model/path.hpp"
#include "core/routes/events.hpp"

namespace hopwise::routes {

/// One member of a route's set. `gateway` is missing for on-link members, and for those that
/// encapsulate: neither can be steered to.
struct Leg {
  std::uint32_t ifindex = 0;
  std::optional<IpAddress> gateway;
  std::uint32_t weight = 1;
  bool dead = false;  // RTNH_F_DEAD or RTNH_F_LINKDOWN

  auto operator<=>(const Leg&) const = default;
};

/// Where a route sends to: through a nexthop object when the kernel names one, else by its legs.
struct Hops {
  bool unicast = true;  // RTN_UNICAST: the only type that forwards to nexthops
  std::uint32_t nexthop_object = 0;
  std::vector<Leg> legs;
  bool own_mtu = false;  // RTAX_MTU: packets are bound by the route, not only by the link

  auto operator<=>(const Hops&) const = default;
};

struct RouteMessage {
  /// Where it goes among routes with the same prefix, type of service and metric.
  enum class Place : std::uint8_t { last, first, instead };

  bool gone = false;
  Place place = Place::last;
  Prefix prefix;
  std::uint32_t table = 0;
  std::uint32_t metric = 0;
  std::uint8_t tos = 0;
  std::uint8_t protocol = 0;
  bool source_specific = false;
  Hops hops;
};

struct NexthopMessage {
  struct Member {
    std::uint32_t id = 0;
    std::uint32_t weight = 1;

    bool operator==(const Member&) const = default;
  };

  bool gone = false;
  std::uint32_t id = 0;
  std::vector<Member> members;  // of a group; empty for a single nexthop
  std::optional<Leg> leg;       // of a single one; neither for a blackhole

  bool operator==(const NexthopMessage&) const = default;
};

struct LinkMessage {
  bool gone = false;
  bool enabled = false;  // administratively up, whatever the carrier
  Interface interface;
};

struct NeighbourMessage {
  NexthopKey key;
  bool valid = false;                        // NUD_VALID: has a link-layer address that may be used
  std::optional<EthernetAddress> address{};  // of a valid one, where it has six bytes
};

/// The kernel says nothing about routes that vanish with an address.
struct AddressGone {};

using Message =
    std::variant<RouteMessage, NexthopMessage, LinkMessage, NeighbourMessage, AddressGone>;

std::optional<Message> parse(const nlmsghdr& message);

}  // namespace hopwise::routes
