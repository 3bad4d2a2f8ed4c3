// Classes of traffic: which packets are of which, told by what they carry in their headers.
#pragma once

#include <cstdint>
#include <optional>

#include "core/model/address.hpp"

namespace hopwise {

/// Both ends are of it.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 65535;

  bool operator==(const PortRange&) const = default;
};

/// Packets that fit every field are of the class, unless an earlier rule took them. With ports it
/// is of TCP and UDP, and fits no fragment. An ICMP error is of the class of what it reports on.
struct ClassRule {
  std::uint8_t traffic_class = 1;  // from 1
  std::uint64_t dscp = ~0ULL;      // bit N: DSCP N (RFC 2474) fits
  std::uint8_t protocol = 0;       // 0: any; ICMP's number means that of both families
  std::optional<Prefix> source{};
  std::optional<Prefix> destination{};
  std::optional<PortRange> source_port{};
  std::optional<PortRange> destination_port{};

  bool operator==(const ClassRule&) const = default;
};

}  // namespace hopwise
