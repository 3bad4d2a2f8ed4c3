// The same routes in the kernel's own FIB.
#pragma once

#include <span>
#include <string>

#include "core/model/address.hpp"
#include "test/lab/namespace.hpp"

namespace hopwise::bench {

/// Adds `routes` to the main table of `where`, route i by nexthop object first + i % kGroups.
void add_kernel_routes(const lab::Namespace& where, std::span<const Prefix> routes,
                       std::uint32_t first);

/// Makes these nexthop objects: kGroups groups of the two nexthops, each given as ip(8) takes it
/// ("via 192.0.2.2 dev wan0"). Ids first .. first + kGroups - 1, and two above for the nexthops.
void add_kernel_nexthops(const lab::Namespace& where, std::uint32_t first, const std::string& one,
                         const std::string& two);

}  // namespace hopwise::bench
