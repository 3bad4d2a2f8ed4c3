// Prefixes as UPDATE writes them: a length in bits and as many bytes as it needs (RFC 4271, section
// 4.3), after a path identifier where add-path was agreed on (RFC 7911, section 3). Pure.
#pragma once

#include <vector>

#include "core/bgp/update.hpp"

namespace hopwise::bgp {

enum class PathIds : std::uint8_t { absent, present };

/// Appends all of `bytes` to `out`. False where a length is too long for its family or a prefix
/// does not fit; `out` is then of no use. Bits beyond a prefix's length are cleared.
bool parse_nlri(Bytes bytes, Family family, PathIds ids, std::vector<Nlri>& out);

void put_nlri(std::vector<std::uint8_t>& out, const Nlri& nlri, PathIds ids);

}  // namespace hopwise::bgp
