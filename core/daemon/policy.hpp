// What the kernel would do to a forwarded packet besides looking up its route in the main table.
//
// Packets that are redirected on TC ingress pass no netfilter hook, no policy routing, no IPsec
// policy and no reverse-path filter: rules would be walked around, NAT would not happen, plaintext
// would leave. Packets that are only marked pass them all, but for routing policy behind our own.
// What follows from it is decided in core/daemon/actuator.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/result.hpp"

namespace hopwise {

struct KernelPolicy {
  enum class Kind : std::uint8_t { netfilter, vrf, rule, xfrm, rp_filter };

  Kind kind = Kind::netfilter;
  std::string text;            // in the operator's words
  std::uint32_t priority = 0;  // of a rule
};

/// Everything that may matter, in an order that does not change:
///  - netfilter's base chains on the way of a forwarded packet that have rules or drop by policy:
///    "nftables inet filter forward", and tables of the older iptables: "iptables nat";
///  - policy rules but the three default ones and hopwise's own: "ip rule 100", "ip -6 rule 1000";
///  - VRFs: "vrf blue";
///  - IPsec policies: "ip xfrm policy";
///  - strict reverse-path filtering on one of `interfaces`: "rp_filter eth0".
Result<std::vector<KernelPolicy>> find_policy(const std::vector<std::string>& interfaces);

/// The names of all interfaces: for find_policy() before it is known which of them matter.
std::vector<std::string> every_interface();

}  // namespace hopwise
