#include <nlohmann/json.hpp>

#include "core/speaker/bfd.hpp"
#include "core/speaker/json_fields.hpp"

namespace hopwise::speaker {
namespace {

// bfdd's words for the diagnostics of RFC 5880, 4.1 (bfdd/bfd.c, diag2str).
bool tells_of_failure(const std::string& status, const std::string& diagnostic) {
  if (diagnostic == "neighbor signaled session down") return status == "init";
  return diagnostic == "control detection time expired" || diagnostic == "echo function failed" ||
         diagnostic == "forwarding plane reset" || diagnostic == "path down" ||
         diagnostic == "concatenated path down" || diagnostic == "reverse concatenated path down";
}

// One that names its interface is told by that; one that does not is of its VRF's interfaces alone.
bool may_be_of(const std::string& vrf, const Json& peer) {
  const std::string its = text_in(peer, "vrf");
  return !text_in(peer, "interface").empty() || its.empty() || its == vrf;
}

std::optional<BfdState> state_of(const std::string& status) {
  if (status == "up") return BfdState::up;
  if (status == "down" || status == "init") return BfdState::down;
  if (status == "shutdown") return BfdState::admin_down;
  return std::nullopt;
}

}  // namespace

Result<std::vector<BfdSession>> frr_bfd(std::string_view answer, const std::string& vrf) {
  const Json peers = parsed(answer);
  if (!peers.is_array()) return Error{"bfdd's peers: the answer is no JSON list"};
  std::vector<BfdSession> sessions;
  for (const Json& peer : peers) {
    const auto address = IpAddress::parse(text_in(peer, "peer"));
    const std::string status = text_in(peer, "status");
    const auto state = state_of(status);
    if (!address || !state || flag_in(peer, "multihop") || !may_be_of(vrf, peer)) continue;
    const std::string diagnostic = text_in(peer, "diagnostic");
    sessions.push_back({*address, text_in(peer, "interface"), *state,
                        *state == BfdState::down && tells_of_failure(status, diagnostic),
                        *state == BfdState::up ? std::string() : diagnostic});
  }
  return sessions;
}

}  // namespace hopwise::speaker
