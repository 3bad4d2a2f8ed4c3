// Routes like the Internet's, and flows to random places in them. The same in every run.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/address.hpp"
#include "test/bench/bpf/frame.h"

namespace hopwise::bench {

/// The groups that routes fall into, 1..kGroups, by position: route i is of group i % kGroups + 1.
inline constexpr std::uint32_t kGroups = 16;

/// `count` different prefixes with about the lengths that the global tables have (60 % /24, 47 %
/// /48), plus 1 % longer than /24, as a network's own routes are; IPv6 clustered by allocation.
std::vector<Prefix> internet(Family family, std::size_t count);

/// `count` flows, each of a random host to a random address of a random route. Sources are in
/// 10.0.0.0/8 or fd00:10::/32.
std::vector<bench_flow> flows_to(const std::vector<Prefix>& routes, std::size_t count,
                                 std::uint8_t protocol);

}  // namespace hopwise::bench
