// What two speakers may do with each other (RFC 5492). Pure.
//
// Unknown capabilities, and known ones whose length is not theirs, count as not told. A capability
// told twice counts once; MULTIPROTOCOL, ADD-PATH and Extended Next Hop add up (RFC 5492, section
// 4).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bgp/wire.hpp"

namespace hopwise::bgp {

/// RFC 7911, section 4: what the one who says it would do.
struct AddPath {
  bool receive = false;
  bool send = false;

  bool operator==(const AddPath&) const = default;
};

struct Capabilities {
  PerFamily<bool> unicast{};          // 1, RFC 4760
  bool multiprotocol = false;         // any family at all was told, known to us or not
  bool route_refresh = false;         // 2, RFC 2918
  bool extended_nexthop = false;      // 5, RFC 8950: IPv6 next hops of IPv4 unicast
  bool extended_message = false;      // 6, RFC 8654
  bool graceful_restart = false;      // 64, RFC 4724
  std::optional<std::uint32_t> as{};  // 65, RFC 6793
  PerFamily<AddPath> add_path{};      // 69, RFC 7911

  /// A speaker that tells of no family means IPv4 unicast (RFC 4760, section 8).
  [[nodiscard]] bool speaks(Family family) const {
    return multiprotocol ? unicast[family] : family == Family::v4;
  }

  bool operator==(const Capabilities&) const = default;
};

/// The TLVs of one Capabilities parameter, added to `into`. False where they do not fit.
bool parse_capabilities(Bytes tlvs, Capabilities& into);

/// The TLVs, in the order of their codes.
std::vector<std::uint8_t> build_capabilities(const Capabilities& capabilities);

}  // namespace hopwise::bgp
