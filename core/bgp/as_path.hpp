// AS_PATH and AS4_PATH (RFC 4271, section 4.3; RFC 5065; RFC 6793). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/bgp/update.hpp"

namespace hopwise::bgp {

struct AsSegment {
  enum class Type : std::uint8_t { set = 1, sequence = 2, confed_sequence = 3, confed_set = 4 };

  Type type = Type::sequence;
  std::vector<std::uint32_t> numbers;  // not empty
};
using AsPath = std::vector<AsSegment>;

/// Nothing where it is malformed by RFC 7606, section 7.2, or holds AS 0 (RFC 7607).
std::optional<AsPath> parse_as_path(Bytes value, AsnWidth width);

/// What the choice of a path counts: a set is one, confederations none.
std::uint32_t length_of(const AsPath& path);

/// The path that a speaker of two octets received: the new one behind what it does not hold of the
/// old one (RFC 6793, section 4.2.3).
AsPath merge(AsPath old, AsPath as4);

/// as_path, as_path_length and neighbour_as.
void fill(const AsPath& from, BgpPath& path);

}  // namespace hopwise::bgp
