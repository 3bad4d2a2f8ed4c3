// What is to be told of the BGP listener and its sessions: plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/time.hpp"

namespace hopwise {

/// RFC 4271, section 8.2.2, of one who never connects by himself. `held_off` is Idle with
/// DampPeerOscillations: connections are turned away for a while.
enum class BgpState : std::uint8_t { held_off, active, open_sent, open_confirm, established };
inline constexpr std::size_t kBgpStates = 5;
/// "held_off", "active", "open_sent", ...
std::string_view text(BgpState state);

/// What both ends can do, of a session whose OPENs were exchanged.
struct BgpCapabilities {
  bool ipv4 = false, ipv6 = false;                    // unicast, RFC 4760
  bool add_path_ipv4 = false, add_path_ipv6 = false;  // the peer sends all its paths, RFC 7911
  bool extended_nexthop = false;                      // RFC 8950
  bool route_refresh = false;                         // RFC 2918
  bool four_octet_as = false;                         // RFC 6793
  bool graceful_restart = false;  // the peer could; hopwise drops its paths at once nevertheless

  bool operator==(const BgpCapabilities&) const = default;
};

/// Counters are of all sessions with the peer since the start.
struct BgpPeerStatus {
  IpAddress address;
  BgpState state = BgpState::active;
  TimePoint since{};  // of this state
  std::optional<TimePoint> held_off_until{};
  BgpCapabilities capabilities{};  // none before the OPENs were exchanged
  std::uint32_t router_id = 0;     // the peer's, host byte order; 0: not known yet
  Duration hold_time{};            // agreed on; 0: none, or no session
  std::size_t prefixes = 0;        // now
  std::size_t paths = 0;           // now
  std::uint64_t established = 0;   // times
  std::uint64_t updates = 0;
  /// "treat_as_withdraw:as_path", "refused:own_as", "discarded_attributes", "foreign_family",
  /// "notification_sent", "connection_lost", "turned_away", ...
  std::map<std::string, std::uint64_t> errors{};
  std::string last_sent{};      // NOTIFICATION, by RFC names; empty: none
  std::string last_received{};  // NOTIFICATION
  std::string last_error{};     // why the last session ended, in words; empty: none ended
};

/// The listener and its peers, in the configuration's order.
struct BgpStatus {
  std::vector<std::string> listen{};  // "127.0.0.2:1790"
  std::vector<BgpPeerStatus> peers{};
  std::size_t prefixes = 0;     // of the path table
  std::size_t attributes = 0;   // that differ, of its paths
  std::uint64_t strangers = 0;  // connections from addresses that are no peer
};

}  // namespace hopwise
