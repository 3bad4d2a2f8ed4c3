// What the follower tells: interfaces, the best route to each prefix, and gateways' neighbour
// state.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/routes/nexthop_set.hpp"

namespace hopwise::routes {

struct Interface {
  std::uint32_t ifindex = 0;
  std::string name;
  bool up = false;        // administratively up, with carrier
  bool ethernet = false;  // ARPHRD_ETHER: has link-layer addresses to redirect to
  bool loopback = false;
  bool enslaved = false;  // a port of a bridge, bond or team; not of a VRF, which has links of ours
  std::uint32_t mtu = 0;
  std::optional<EthernetAddress> address{};  // of Ethernet interfaces
  std::optional<std::uint32_t> vrf_table{};  // of a VRF device: packets come by its ports

  /// Whether clients may stand behind it. A port's bridge or bond counts, not the port.
  [[nodiscard]] bool can_be_lan() const { return ethernet && !loopback && !enslaved && !vrf_table; }

  bool operator==(const Interface&) const = default;
};

/// What the kernel knows of a gateway.
struct Neighbour {
  bool resolved = false;                     // NUD_VALID, on an interface that is up
  std::optional<EthernetAddress> address{};  // while it is resolved, by six bytes

  bool operator==(const Neighbour&) const = default;
};

/// The best route to a prefix: of those with a leg alive, as the kernel orders them. Its nexthops
/// are all its legs, sorted by key, those on a dead link too: by default the kernel hashes
/// traffic into a link without carrier, so whoever steers must keep the route and pass over them,
/// by interface.up. There are none for what is left to the kernel: local, broadcast, blackhole,
/// on-link and the like.
struct Route {
  Prefix prefix;
  NexthopSet set;  // shared by all routes that have the same; null is empty too

  [[nodiscard]] const std::vector<WeightedNexthop>& nexthops() const {
    static const std::vector<WeightedNexthop> none;
    return set ? *set : none;
  }
  bool operator==(const Route& other) const {
    return prefix == other.prefix && nexthops() == other.nexthops();
  }
};

/// What is reported. Everything runs on the io_context that the follower was made with.
struct Events {
  std::function<void(const Route&)> route;          // new or changed
  std::function<void(const Prefix&)> withdrawn;     // no route to this prefix any more
  std::function<void(const Interface&)> interface;  // new or changed
  std::function<void(std::uint32_t ifindex)> interface_gone;
  /// Of gateways that were named by watch(): resolved or not, or with another address than before.
  std::function<void(const NexthopKey&, const Neighbour&)> neighbour;
  std::function<void(const Error&)> trouble;  // lost events, failed dumps: already being repaired
};

}  // namespace hopwise::routes
