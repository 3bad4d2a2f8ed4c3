// Source addresses of probes, as the kernel would choose them, kept until it tells of a change.
//
// Which address is right is the kernel's business (the gateway's subnet for IPv4; RFC 6724, by
// destination, for IPv6), so it is asked, once for each nexthop and destination: for IPv4 the
// answer is the same for every destination.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/model/path.hpp"
#include "core/netlink/socket.hpp"

namespace hopwise::probes {

/// Asks the kernel for the source address of a packet with that mark.
Result<IpAddress> route_source(netlink::Socket& socket, std::uint32_t mark,
                               const IpAddress& destination);

class Sources {
 public:
  using Source = std::optional<IpAddress>;  // empty: there is none now

  /// Null: not kept.
  [[nodiscard]] const Source* find(NexthopId id, const IpAddress& destination) const;
  void keep(const Nexthop& nexthop, const IpAddress& destination, const Source& source);
  void forget(NexthopId id);
  void forget_all();
  /// Those that had no address are asked for again; of one nexthop, or of all.
  void forget_missing(NexthopId id);
  void forget_missing();
  /// RTM_NEWADDR, RTM_DELADDR, RTM_NEWLINK, RTM_DELLINK: forgets what they may change.
  void heard(const nlmsghdr& event);
  [[nodiscard]] std::uint64_t changes() const { return changes_; }

 private:
  struct Key {
    NexthopId id{};
    IpAddress destination;  // unspecified for IPv4
    auto operator<=>(const Key&) const = default;
  };
  struct Answer {
    std::uint32_t ifindex = 0;
    Source source;
  };
  static Key key_of(NexthopId id, const IpAddress& destination);
  template <class Which>
  void forget_if(Which which);
  template <class Which>
  void forget_if(NexthopId id, Which which);

  std::map<Key, Answer> answers_;
  std::uint64_t changes_ = 0;
};

}  // namespace hopwise::probes
