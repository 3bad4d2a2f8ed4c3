// A data plane as a router would have it: two nexthops, and groups of both for routes to fall into.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/dataplane/dataplane.hpp"

namespace hopwise::bench {

struct Uplink {
  std::uint32_t ifindex = 0;
  std::string interface;
  std::array<std::string, 2> gateways;  // IPv4, IPv6; "" has none
  std::optional<dataplane::Link> link;
};

/// Opens a data plane in the calling thread's namespace, with groups 1..kGroups of every uplink's
/// IPv4 gateway and kGroups+1..2*kGroups of their IPv6 gateways. Nothing is attached.
std::unique_ptr<dataplane::Dataplane> steering(const dataplane::Options& options,
                                               dataplane::Affinity affinity,
                                               std::span<const Uplink> uplinks);

/// Sets routes, by position: the groups of each family in turn.
void set_routes(dataplane::Dataplane& dataplane, std::span<const Prefix> routes);

}  // namespace hopwise::bench
