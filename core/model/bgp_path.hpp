// A path to a prefix as BGP tells of it, chosen or not (RFC 4271, section 5). Paths with the same
// attributes are one object.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise {

struct BgpPath {
  enum class Origin : std::uint8_t { igp, egp, incomplete };

  IpAddress nexthop;                      // of IPv4 routes too it may be an IPv6 one (RFC 8950)
  std::optional<IpAddress> link_local{};  // told beside a global one (RFC 2545, section 3)
  Origin origin = Origin::incomplete;
  /// All AS numbers, leftmost first, those of sets and confederations too.
  std::vector<std::uint32_t> as_path{};
  /// What the choice of a path compares (RFC 4271, section 9.1.2.2; RFC 5065, section 5.3): a set
  /// counts as one, confederations as none.
  std::uint32_t as_path_length = 0;
  /// Which other AS said it: the first number of a path that begins with a sequence; else 0. So it
  /// is of what another member of our own confederation said.
  std::uint32_t neighbour_as = 0;
  /// By way of another router of our own AS (ORIGINATOR_ID, CLUSTER_LIST: RFC 4456): whoever its
  /// next hop is may send the packet back to us.
  bool reflected = false;
  std::optional<std::uint32_t> local_pref{};
  std::optional<std::uint32_t> med{};
  std::vector<std::uint32_t> communities{};                       // RFC 1997
  std::vector<std::array<std::uint32_t, 3>> large_communities{};  // RFC 8092
  std::optional<std::uint64_t> link_bandwidth_bit_s{};            // draft-ietf-idr-link-bandwidth

  auto operator<=>(const BgpPath&) const = default;
};

}  // namespace hopwise
