// A route as the routing daemon believes to have it in the kernel, out of its own words. Pure.
//
// Read from FRR's `show ip route PREFIX json` and `show ipv6 route PREFIX json` (zebra, 8.4 to 10)
// and from BIRD's `show route PREFIX export KERNEL` (2.0). What is not understood is an error, not
// a guess; the daemon's answer is never trusted to be whole or sane.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/result.hpp"

namespace hopwise::speaker {

/// An outgoing leg: recursive nexthops are told resolved, inactive ones not at all.
struct Leg {
  IpAddress gateway;
  std::string interface;
  std::uint32_t weight = 1;

  auto operator<=>(const Leg&) const = default;
};

enum class Belief : std::uint8_t {
  none,       // it knows no route to this prefix
  changing,   // it is at work on it: nothing can be said now
  foreign,    // the route is the kernel's own, or has no gateway: nothing to compare
  refused,    // it says that the kernel did not take it
  installed,  // in the kernel by these legs
};

struct BelievedRoute {
  Belief belief = Belief::none;
  std::vector<Leg> legs{};  // as told, duplicates too
};

/// `prefix` is what was asked for: an answer to another question is an error.
Result<BelievedRoute> frr_route(std::string_view answer, const Prefix& prefix);
Result<BelievedRoute> bird_route(std::string_view answer, const Prefix& prefix);

/// Out of `show protocols`: the names of the kernel protocols of BIRD's main tables, master4 and
/// master6, in this order; empty for none.
std::vector<std::string> bird_kernels(std::string_view answer);

}  // namespace hopwise::speaker
