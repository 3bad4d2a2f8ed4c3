// The netfilter rules that a redirected packet would not meet.
//
// A packet redirected on TC ingress passes none of netfilter's prerouting, forward and postrouting
// hooks: filter rules would be walked around, and NAT would not happen. Where there are such rules,
// hopwise does not steer unless it is told to.
#pragma once

#include <string>
#include <vector>

#include "core/model/result.hpp"

namespace hopwise {

/// Base chains of families ip, ip6 and inet on those hooks that have rules or a drop policy, as
/// "inet filter forward"; tables of the older iptables as "iptables nat (legacy)". Empty where
/// netfilter has nothing to say or is not there.
Result<std::vector<std::string>> bypassed_chains();

}  // namespace hopwise
