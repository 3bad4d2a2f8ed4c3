#include "core/speaker/bfd.hpp"

#include <set>

namespace hopwise::speaker {
namespace {

enum class Tie : std::uint8_t { none, same_router, same_family, same_address };

Tie tie_of(const BfdSession& session, const Gateway& gateway, const Routers& routers) {
  const bool anywhere = session.interface.empty();
  if (anywhere ? session.peer.is_link_local() : session.interface != gateway.interface)
    return Tie::none;
  if (session.peer == gateway.address) return Tie::same_address;
  const auto router = routers.find({gateway.interface, session.peer});
  if (!gateway.router || router == routers.end() || router->second != *gateway.router)
    return Tie::none;
  return session.peer.family == gateway.address.family ? Tie::same_family : Tie::same_router;
}

}  // namespace

const BfdSession* veto(const std::vector<BfdSession>& sessions, const Gateway& gateway,
                       const Routers& routers) {
  Tie closest = Tie::none;
  const BfdSession* failed = nullptr;
  bool is_up = false;
  for (const BfdSession& session : sessions) {
    const Tie tie = tie_of(session, gateway, routers);
    if (tie == Tie::none || tie < closest) continue;
    if (tie > closest) {
      closest = tie;
      failed = nullptr;
      is_up = false;
    }
    is_up = is_up || session.state == BfdState::up;
    if (session.failed) failed = &session;
  }
  return is_up ? nullptr : failed;
}

std::vector<BfdSession> BirdBfd::judge(std::vector<BfdSession> sessions, TimePoint now) {
  auto before = std::exchange(seen_, {});
  for (BfdSession& session : sessions) {
    const auto key = std::pair(session.interface, session.peer);
    Seen seen = before[key];
    if (session.state == BfdState::up) {
      seen = {true, std::nullopt};
    } else if (session.state == BfdState::down && seen.was_up) {
      if (!seen.down_since) seen.down_since = now;
      session.failed = now - *seen.down_since < kTrust;
      session.because = session.failed ? "was up" : "was up; BIRD itself still uses the gateway";
    } else {
      seen = {};
    }
    seen_[key] = seen;
  }
  return sessions;
}

}  // namespace hopwise::speaker
