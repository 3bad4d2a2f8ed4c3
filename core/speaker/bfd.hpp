// BFD sessions (RFC 5880) as the routing daemon tells them: which of them say that a path is down.
// Pure.
//
// Read from FRR's `show bfd peers json` and BIRD's `show bfd sessions`. RFC 5882, 3.2 and 4.1: a
// session that is administratively down, or that never came up, says nothing of the path. So
// - FRR tells why. Down by "control detection time expired", "echo function failed", "forwarding
//   plane reset", "path down" and the like is a failure. "Neighbor signaled session down" is one
//   while the neighbour goes on to signal it (state init: it does not hear us); in state down it is
//   silence after a farewell, as AdminDown (4.1) or a removed session leave.
// - BIRD 2 does not tell why. A session that was seen up and is down is a failure for kBirdTrust:
//   by then BIRD has acted on it itself where it was one; else the peer took BFD down on purpose.
// Sessions over several hops say nothing of a link.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/speaker.hpp"

namespace hopwise::speaker {

/// Single-hop sessions. Those of FRR say whether they failed, those of BIRD not yet. FRR tells of
/// all VRFs: of those without an interface only the ones in `vrf` are taken.
Result<std::vector<BfdSession>> frr_bfd(std::string_view answer,
                                        const std::string& vrf = "default");
Result<std::vector<BfdSession>> bird_bfd(std::string_view answer);

/// Remembers which of BIRD's sessions were up.
class BirdBfd {
 public:
  static constexpr Duration kTrust = std::chrono::seconds(30);

  /// Tells of each whether it failed. Those that are not among them are forgotten.
  std::vector<BfdSession> judge(std::vector<BfdSession> sessions, TimePoint now);

 private:
  struct Seen {
    bool was_up = false;
    std::optional<TimePoint> down_since{};
  };
  std::map<std::pair<std::string, IpAddress>, Seen> seen_;
};

/// A gateway as BFD may know it: by its own address, or by another of the same router.
struct Gateway {
  std::string interface;
  IpAddress address;
  std::optional<EthernetAddress> router{};
};

/// Link-layer addresses of BFD's peers, as far as they are known.
using Routers = std::map<std::pair<std::string, IpAddress>, EthernetAddress>;

/// The session that takes the gateway out, or null. Sessions to its own address speak for it; else
/// those to the same router from its own family; else any to the same router. It is out when one of
/// those that speak has failed and none is up.
const BfdSession* veto(const std::vector<BfdSession>& sessions, const Gateway& gateway,
                       const Routers& routers);

}  // namespace hopwise::speaker
