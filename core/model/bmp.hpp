// What is to be told of the BMP receiver and the routers that speak to it: plain data.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/time.hpp"

namespace hopwise {

/// Counters are of all connections of this router since the start.
struct BmpRouterStatus {
  IpAddress address;
  bool connected = false;
  TimePoint since{};                                // of `connected`
  std::string name{};                               // its own word for itself; empty: not told
  std::size_t peers = 0;                            // sessions that it tells of, now
  std::size_t prefixes = 0;                         // now, over those sessions
  std::size_t paths = 0;                            // now
  std::map<std::string, std::uint64_t> messages{};  // by type: "route_monitoring", ...
  /// "unknown_peer", "internal_peer", "other_instance", "not_post_policy", "malformed_update",
  /// "treat_as_withdraw:as_path", "refused:own_as", "connection_lost", ...
  std::map<std::string, std::uint64_t> errors{};
  std::string last_error{};  // why the last connection ended, in words; empty: none ended
};

struct BmpStatus {
  std::vector<std::string> listen{};  // "127.0.0.2:1791"
  std::vector<BmpRouterStatus> routers{};
  std::uint64_t strangers = 0;  // connections from addresses that are no router of ours
};

}  // namespace hopwise
