// A cursor over attributes (netlink's own framing: length, type, payload, padding to 4 bytes) knows
// the bounds; everything else reads through it. Every payload's size is checked against its type.
#include "core/routes/parse.hpp"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace hopwise::routes {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr unsigned kNudValid =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

template <class T>
bool read(Bytes bytes, T& value) {
  if (bytes.size() != sizeof(T)) return false;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return true;
}

// Takes a T off the front of `bytes`.
template <class T>
bool take(Bytes& bytes, T& value) {
  if (bytes.size() < sizeof(T)) return false;
  std::memcpy(&value, bytes.data(), sizeof(T));
  bytes = bytes.subspan(std::min(bytes.size(), std::size_t{NLMSG_ALIGN(sizeof(T))}));
  return true;
}

// Calls each(type, payload) until one returns false. False as well when an attribute does not fit.
template <class Each>
bool for_attributes(Bytes bytes, const Each& each) {
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr head;
    std::memcpy(&head, bytes.data(), sizeof(head));
    if (head.nla_len < sizeof(head) || head.nla_len > bytes.size()) return false;
    if (!each(head.nla_type & NLA_TYPE_MASK,
              bytes.subspan(sizeof(head), head.nla_len - sizeof(head))))
      return false;
    bytes =
        bytes.subspan(std::min(bytes.size(), static_cast<std::size_t>(NLA_ALIGN(head.nla_len))));
  }
  return true;
}

std::optional<Family> family_of(unsigned family) {
  if (family == AF_INET) return Family::v4;
  if (family == AF_INET6) return Family::v6;
  return std::nullopt;
}

bool read_address(Family family, Bytes bytes, IpAddress& address) {
  if (bytes.size() != (family == Family::v4 ? 4U : 16U)) return false;
  address = IpAddress::from_bytes(family, bytes.data());
  return true;
}

bool read_address(Family family, Bytes bytes, std::optional<IpAddress>& address) {
  return read_address(family, bytes, address.emplace());
}

// RTA_VIA: a gateway of the other family, which it names itself.
bool read_via(Bytes bytes, std::optional<IpAddress>& gateway) {
  std::uint16_t family = 0;
  if (bytes.size() < sizeof(family)) return false;
  std::memcpy(&family, bytes.data(), sizeof(family));
  const auto known = family_of(family);
  return known && read_address(*known, bytes.subspan(sizeof(family)), gateway);
}

// Those attributes of a route that may also stand in one leg of a multipath route.
struct LegReader {
  Family family;
  Leg leg{};
  bool encapsulates = false;

  bool read(int type, Bytes payload) {
    switch (type) {
      case RTA_OIF:
        return routes::read(payload, leg.ifindex);
      case RTA_GATEWAY:
        return read_address(family, payload, leg.gateway);
      case RTA_VIA:
        return read_via(payload, leg.gateway);
      case RTA_ENCAP:
        encapsulates = true;
        return true;
      default:
        return true;
    }
  }

  Leg done(unsigned flags) {
    leg.dead = (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0;
    if (encapsulates) leg.gateway.reset();
    return leg;
  }
};

bool read_multipath(Family family, Bytes bytes, std::vector<Leg>& legs) {
  legs.reserve(bytes.size() / (sizeof(rtnexthop) + 8));  // each with a gateway at the least
  while (bytes.size() >= sizeof(rtnexthop)) {
    rtnexthop head;
    std::memcpy(&head, bytes.data(), sizeof(head));
    if (head.rtnh_len < sizeof(head) || head.rtnh_len > bytes.size()) return false;
    LegReader reader{family};
    reader.leg.ifindex = static_cast<std::uint32_t>(head.rtnh_ifindex);
    reader.leg.weight = head.rtnh_hops + 1U;
    const Bytes attributes = bytes.subspan(sizeof(head), head.rtnh_len - sizeof(head));
    if (!for_attributes(attributes, [&](int t, Bytes p) { return reader.read(t, p); }))
      return false;
    legs.push_back(reader.done(head.rtnh_flags));
    bytes =
        bytes.subspan(std::min(bytes.size(), static_cast<std::size_t>(RTNH_ALIGN(head.rtnh_len))));
  }
  return true;
}

bool read_metrics(Bytes bytes, bool& own_mtu) {
  return for_attributes(bytes, [&](int type, Bytes payload) {
    std::uint32_t mtu = 0;
    if (type != RTAX_MTU) return true;
    if (!read(payload, mtu)) return false;
    own_mtu = mtu != 0;
    return true;
  });
}

RouteMessage::Place place(unsigned flags) {
  if (flags & NLM_F_REPLACE) return RouteMessage::Place::instead;
  // A notification says CREATE alone for what was put first, and dumps come in order.
  if ((flags & NLM_F_CREATE) && !(flags & NLM_F_APPEND)) return RouteMessage::Place::first;
  return RouteMessage::Place::last;
}

std::optional<Message> parse_route(const nlmsghdr& head, Bytes bytes) {
  rtmsg about;
  if (!take(bytes, about)) return std::nullopt;
  const auto family = family_of(about.rtm_family);
  // Cloned ones are the kernel's own exceptions (a smaller path MTU, a redirect).
  if (!family || (about.rtm_flags & RTM_F_CLONED)) return std::nullopt;

  RouteMessage route;
  route.gone = head.nlmsg_type == RTM_DELROUTE;
  route.place = place(head.nlmsg_flags);
  route.table = about.rtm_table;
  route.tos = about.rtm_tos;
  route.protocol = about.rtm_protocol;
  route.source_specific = about.rtm_src_len != 0;
  route.hops.unicast = about.rtm_type == RTN_UNICAST;
  IpAddress destination{*family, {}};
  LegReader reader{*family};
  const auto each = [&](int type, Bytes payload) {
    switch (type) {
      case RTA_DST:
        return read_address(*family, payload, destination);
      case RTA_TABLE:
        return read(payload, route.table);
      case RTA_PRIORITY:
        return read(payload, route.metric);
      case RTA_NH_ID:
        return read(payload, route.hops.nexthop_object);
      case RTA_METRICS:
        return read_metrics(payload, route.hops.own_mtu);
      case RTA_MULTIPATH:
        return read_multipath(*family, payload, route.hops.legs);
      default:
        return reader.read(type, payload);
    }
  };
  if (!for_attributes(bytes, each) || about.rtm_dst_len > destination.bits()) return std::nullopt;
  if (route.hops.legs.empty() && reader.leg.ifindex != 0)
    route.hops.legs.push_back(reader.done(about.rtm_flags));
  route.prefix = Prefix::covering(destination, about.rtm_dst_len);
  return route;
}

bool read_members(Bytes bytes, std::vector<NexthopMessage::Member>& members) {
  nexthop_grp member;
  if (bytes.size() % sizeof(member) != 0) return false;
  for (; !bytes.empty(); bytes = bytes.subspan(sizeof(member))) {
    std::memcpy(&member, bytes.data(), sizeof(member));
    // Since Linux 6.12 the next byte, reserved and zero before, holds the weight's higher half.
    const unsigned higher = bytes[offsetof(nexthop_grp, weight) + 1];
    members.push_back({member.id, (member.weight | higher << 8) + 1U});
  }
  return true;
}

std::optional<Message> parse_nexthop(const nlmsghdr& head, Bytes bytes) {
  nhmsg about;
  if (!take(bytes, about)) return std::nullopt;
  NexthopMessage nexthop;
  nexthop.gone = head.nlmsg_type == RTM_DELNEXTHOP;
  LegReader reader{Family::v4};
  bool blackhole = false;
  const auto each = [&](int type, Bytes payload) {
    switch (type) {
      case NHA_ID:
        return read(payload, nexthop.id);
      case NHA_GROUP:
        return read_members(payload, nexthop.members);
      case NHA_BLACKHOLE:
        blackhole = true;
        return true;
      case NHA_OIF:
        return read(payload, reader.leg.ifindex);
      case NHA_GATEWAY: {
        const auto family = family_of(about.nh_family);
        return family && read_address(*family, payload, reader.leg.gateway);
      }
      case NHA_ENCAP:
        reader.encapsulates = true;
        return true;
      default:
        return true;
    }
  };
  if (!for_attributes(bytes, each) || nexthop.id == 0) return std::nullopt;
  if (nexthop.members.empty() && !blackhole) nexthop.leg = reader.done(about.nh_flags);
  return nexthop;
}

// An address of another length is that of another kind of link.
void read_link_address(Bytes bytes, std::optional<EthernetAddress>& address) {
  if (EthernetAddress six{}; read(bytes, six)) address = six;
}

bool is_vrf(Bytes kind) {
  const auto* text = reinterpret_cast<const char*>(kind.data());
  return std::string_view(text, strnlen(text, kind.size())) == "vrf";
}

// What a VRF device is to routing is its table; what its ports are, that they are its.
bool read_link_info(Bytes bytes, Interface& interface, bool& vrf_port) {
  bool vrf = false;
  Bytes data;
  const auto each = [&](int type, Bytes payload) {
    if (type == IFLA_INFO_KIND) vrf = is_vrf(payload);
    if (type == IFLA_INFO_SLAVE_KIND) vrf_port = is_vrf(payload);
    if (type == IFLA_INFO_DATA) data = payload;
    return true;
  };
  if (!for_attributes(bytes, each)) return false;
  return !vrf || for_attributes(data, [&](int type, Bytes payload) {
    return type != IFLA_VRF_TABLE || read(payload, interface.vrf_table.emplace());
  });
}

std::optional<Message> parse_link(const nlmsghdr& head, Bytes bytes) {
  ifinfomsg about;
  // AF_BRIDGE tells of ports that join and leave a bridge, not of links that come and go.
  if (!take(bytes, about) || about.ifi_family != AF_UNSPEC || about.ifi_index <= 0)
    return std::nullopt;
  LinkMessage link;
  link.gone = head.nlmsg_type == RTM_DELLINK;
  link.enabled = (about.ifi_flags & IFF_UP) != 0;
  Interface& interface = link.interface;
  interface.ifindex = static_cast<std::uint32_t>(about.ifi_index);
  // IFF_RUNNING: not LOWERLAYERDOWN either; the kernel tells once more when it is settled.
  constexpr unsigned kUp = unsigned{IFF_UP} | unsigned{IFF_RUNNING} | unsigned{IFF_LOWER_UP};
  interface.up = (about.ifi_flags & kUp) == kUp;
  interface.ethernet = about.ifi_type == ARPHRD_ETHER;
  interface.loopback = (about.ifi_flags & IFF_LOOPBACK) != 0;
  bool vrf_port = false;
  const auto each = [&](int type, Bytes payload) {
    switch (type) {
      case IFLA_LINKINFO:
        return read_link_info(payload, interface, vrf_port);
      case IFLA_IFNAME: {
        const auto* text = reinterpret_cast<const char*>(payload.data());
        interface.name.assign(text, strnlen(text, std::min<std::size_t>(payload.size(), IFNAMSIZ)));
        return true;
      }
      case IFLA_MASTER:
        interface.enslaved = true;
        return true;
      case IFLA_MTU:
        return read(payload, interface.mtu);
      case IFLA_ADDRESS:
        if (interface.ethernet) read_link_address(payload, interface.address);
        return true;
      default:
        return true;
    }
  };
  if (!for_attributes(bytes, each) || interface.name.empty()) return std::nullopt;
  if (vrf_port) interface.enslaved = false;
  return link;
}

std::optional<Message> parse_neighbour(const nlmsghdr& head, Bytes bytes) {
  ndmsg about;
  if (!take(bytes, about)) return std::nullopt;
  const auto family = family_of(about.ndm_family);
  if (!family || about.ndm_ifindex <= 0 || (about.ndm_flags & NTF_PROXY)) return std::nullopt;
  NeighbourMessage neighbour;
  neighbour.key.ifindex = static_cast<std::uint32_t>(about.ndm_ifindex);
  neighbour.valid = head.nlmsg_type == RTM_NEWNEIGH && (about.ndm_state & kNudValid) != 0;
  bool addressed = false;
  const auto each = [&](int type, Bytes payload) {
    if (type == NDA_LLADDR && neighbour.valid) read_link_address(payload, neighbour.address);
    if (type != NDA_DST) return true;
    return addressed = read_address(*family, payload, neighbour.key.gateway);
  };
  if (!for_attributes(bytes, each) || !addressed) return std::nullopt;
  return neighbour;
}

}  // namespace

std::optional<Message> parse(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_HDRLEN) return std::nullopt;
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(&message) + NLMSG_HDRLEN,
                    message.nlmsg_len - NLMSG_HDRLEN);
  switch (message.nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return parse_route(message, bytes);
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      return parse_nexthop(message, bytes);
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return parse_link(message, bytes);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return parse_neighbour(message, bytes);
    case RTM_DELADDR:
      return AddressGone{};
    default:
      return std::nullopt;
  }
}

}  // namespace hopwise::routes
