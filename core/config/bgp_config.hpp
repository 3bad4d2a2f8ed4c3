// The keys of "bgp", the listener for the routing daemons' paths, and of "bmp", the receiver for
// what routers tell of their sessions.
//
//   "bgp": {"listen": "127.0.0.2:1790", "as": 65000, "router_id": "192.0.2.250",
//           "peers": [{"address": "127.0.0.1", "password_file": "/etc/hopwise/bgp.key",
//                      "hold_time": "9s", "max_prefixes": 2000000}]}
//
//   "bmp": {"listen": "127.0.0.2:11019",
//           "routers": [{"address": "127.0.0.1", "max_prefixes": 2000000}]}
//
// Without its section there is no listener, and no receiver. "listen" may be a list: an address for
// each family.
#pragma once

#include "core/bgp/options.hpp"
#include "core/config/reader.hpp"

namespace hopwise::config {

void read_bgp(Object& o, bgp::Options& options);
void read_bmp(Object& o, bgp::BmpOptions& options);

}  // namespace hopwise::config
