// Two gateways on one interface, and a way of several hops behind them, in unnamed network
// namespaces that vanish with this process:
//
//                                      10.1.0.0/24
//   router --- wan --- [bridge] --- a -------------\.                 .10.3.0.0/24      10.4.0.0/24
//   10.9.0.254             \------- b -------------- core ------------- far ------------- host
//                       10.9.0.1,2     10.2.0.0/24                                     203.0.113.1
//
// IPv6 alike: fd09::/64, fd01::/64 and so on; the host is 2001:db8::1. Of a link's two ends the
// one that is nearer to the router is .1, the other .2. Routers here answer every probe.
#pragma once

#include <cstdint>

#include "test/unit/probes/lan.hpp"

namespace hopwise::probes {

struct Chain {
  NetNamespace bridge, router, a, b, core, far, host;

  Chain();
  /// The gateway `which` (1: a, 2: b) on wan.
  [[nodiscard]] Nexthop nexthop(std::uint32_t which, Family family) const;
};

}  // namespace hopwise::probes
