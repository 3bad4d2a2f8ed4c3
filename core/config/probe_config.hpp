// The keys of "probe", and lists of anchors wherever they stand.
//
// An anchor is a text ("203.0.113.53", "tcp://203.0.113.53:443") or an object that says more:
// {"anchor": "stamp://198.51.100.7", "key_file": "/etc/hopwise/stamp.key"}.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/config/config.hpp"
#include "core/config/reader.hpp"
#include "probes/target.hpp"

namespace hopwise::config {

/// As many as the engine keeps apart for one nexthop.
inline constexpr std::size_t kMaxAnchors = 16;

/// The list under `key`, with each fault at its element. `gateway`: through which the anchors must
/// be reached; empty for a list that serves several.
void read_anchors(Object& o, std::string_view key, const std::optional<IpAddress>& gateway,
                  std::vector<probes::AnchorSpec>& out);

/// The nexthops must have been read: the budget is held against the anchors that they name.
void read_probe(Object& o, Config& config);

}  // namespace hopwise::config
