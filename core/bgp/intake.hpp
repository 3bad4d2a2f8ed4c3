// From what a message says to what is believed: the checks that stand between UPDATEs and the
// table, for sessions and for whoever else receives UPDATEs (BMP). Pure.
//
// What is refused is withdrawn: a path that was good and is told anew as one that is not must go.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/bgp/path_table.hpp"
#include "core/bgp/update.hpp"

namespace hopwise::bgp {

/// Why a path is not believed.
enum class Refusal : std::uint8_t {
  own_as,             // our AS is in the path: a loop (RFC 4271, section 9.1.2)
  nexthop_invalid,    // unspecified, loopback, multicast, or no address at all
  nexthop_ourselves,  // an end of the very session
  martian,            // a prefix that nothing may be forwarded to by BGP's word
  too_many_paths,     // PathTable::kMaxPathsPerPrefix, kMaxBytes
};
inline constexpr std::size_t kRefusals = 5;
/// "own_as", ...: for log and metric labels.
std::string_view text(Refusal refusal);

/// Who we are to that peer.
struct Terms {
  std::uint32_t own_as = 0;
  std::vector<IpAddress> own_addresses{};  // next hops that mean this very host
};

struct Taken {
  std::array<std::uint32_t, kRefusals> refused{};  // paths, by Refusal
  bool operator==(const Taken&) const = default;
};

/// Prefixes within which no path is believed: loopback, link-local, multicast, 240.0.0.0/4, "this
/// network" and the like (RFC 6890). 0.0.0.0/0 and ::/0 are none; private ones (RFC 1918) are none.
bool is_martian(const Prefix& prefix);

/// Why nothing is believed of this path; nothing where it may be.
std::optional<Refusal> refusal_of(const BgpPath& path, const Terms& terms);

/// Puts what the message says into the table.
Taken take(const Update& update, const Terms& terms, SourceId source, PathTable& table);

}  // namespace hopwise::bgp
