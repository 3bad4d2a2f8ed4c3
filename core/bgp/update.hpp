// UPDATE: bytes to paths (RFC 4271, section 4.3; RFC 4760; RFC 7911), with errors told apart as
// RFC 7606 has it. Pure; sessions use it, and whoever else receives UPDATEs (BMP).
//
// How errors come back:
//   - what costs the session or cannot be understood at all: a Notification, the one to be sent.
//   - what costs the paths of this message (treat-as-withdraw): an Update whose prefixes all stand
//     under `withdrawn`, and `error` says why.
//   - what costs an attribute alone: an Update that counts it in `discarded`.
// Prefixes whose UPDATE cannot be read to the end are never passed over in silence: where they are
// not known any more, the session ends, for what was told of them before may be over.
//
// This says what a message means, not whether to believe it: that is intake.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/bgp/notification.hpp"
#include "core/bgp/wire.hpp"
#include "core/model/bgp_path.hpp"

namespace hopwise::bgp {

enum class AsnWidth : std::uint8_t { two = 2, four = 4 };
enum class PeerKind : std::uint8_t { internal, external };

/// How the sender writes: what its OPEN and ours agreed on.
struct Dialect {
  AsnWidth asn = AsnWidth::four;       // two: AS4_PATH is merged in (RFC 6793, section 4.2.3)
  PerFamily<bool> add_path{};          // a path identifier before each prefix (RFC 7911)
  PerFamily<bool> family{true, true};  // prefixes of others are passed over
  PeerKind peer = PeerKind::internal;  // of external ones LOCAL_PREF does not count
};

/// A prefix, and which of the sender's paths to it; 0 where there is but one.
struct Nlri {
  Prefix prefix;
  std::uint32_t path_id = 0;

  bool operator==(const Nlri&) const = default;
};

/// Prefixes that share a path.
struct Announcement {
  BgpPath path;
  std::vector<Nlri> nlri;  // not empty, all of one family

  bool operator==(const Announcement&) const = default;
};

/// What was wrong with the attributes, where the session goes on.
enum class AttributeError : std::uint8_t {
  flags,
  length,
  value,
  as_path,
  nexthop,
  missing,
  list,  // an attribute reaches beyond the end of the list
};
inline constexpr std::size_t kAttributeErrors = 7;
/// "flags", "length", ...: for log and metric labels.
std::string_view text(AttributeError error);

struct Update {
  std::vector<Nlri> withdrawn;            // to be taken before the announced ones
  std::vector<Announcement> announced{};  // at most two: NLRI and MP_REACH_NLRI
  std::optional<Family> end_of_rib{};     // RFC 4724, section 2
  /// Treat-as-withdraw: what this message announced stands under `withdrawn`.
  std::optional<AttributeError> error{};
  std::uint8_t error_attribute = 0;  // its type code
  std::uint32_t discarded = 0;       // attributes that were passed over (RFC 7606, section 2)
  std::uint32_t foreign = 0;         // MP attributes of families that are not ours
};

/// `body`: what follows the header.
std::variant<Update, Notification> parse_update(Bytes body, const Dialect& dialect);

}  // namespace hopwise::bgp
