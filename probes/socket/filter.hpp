// What a raw socket lets in, decided in the kernel by classic BPF: without it every ping on the
// machine, or every TCP segment to it, would wake us.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise::probes {

/// Of one filter: its jumps reach no further.
inline constexpr std::size_t kMaxFilterPorts = 64;

/// ICMP: replies to echoes with `identifier`, and errors that quote such an echo, or TCP or UDP
/// from one of `ports`.
std::vector<sock_filter> echo_filter(Family family, std::uint16_t identifier,
                                     std::span<const std::uint16_t> ports);
/// TCP: what comes to one of `ports`.
std::vector<sock_filter> tcp_filter(Family family, std::span<const std::uint16_t> ports);

}  // namespace hopwise::probes
