// The keys of "routes" that say what of the kernel's routing is followed, and how.
#pragma once

#include "core/config/reader.hpp"
#include "core/routes/follower.hpp"

namespace hopwise::config {

void read_follower(Object& o, routes::Options& routes);

/// What the kernel and ip-route(8) call a routing protocol: "bgp", "bird", or a number as text.
Result<std::uint8_t> parse_protocol(const std::string& text);
/// The other way round.
std::string protocol_text(std::uint8_t protocol);

}  // namespace hopwise::config
