#include "core/bgp/as_path.hpp"

#include <algorithm>

namespace hopwise::bgp {
namespace {

bool confederation(const AsSegment& segment) {
  return segment.type == AsSegment::Type::confed_sequence ||
         segment.type == AsSegment::Type::confed_set;
}

/// What RFC 6793 counts when it compares two paths: confederations as none, sets as one.
std::uint32_t length_of(const AsSegment& segment) {
  if (confederation(segment)) return 0;
  if (segment.type == AsSegment::Type::set) return 1;
  return static_cast<std::uint32_t>(segment.numbers.size());
}

}  // namespace

std::optional<AsPath> parse_as_path(Bytes value, AsnWidth width) {
  AsPath path;
  Cursor cursor(value);
  while (!cursor.done()) {
    const auto type = cursor.number<std::uint8_t>();
    const auto count = cursor.number<std::uint8_t>();
    if (!count || *type < 1 || *type > 4 || *count == 0) return std::nullopt;
    AsSegment segment{static_cast<AsSegment::Type>(*type), {}};
    segment.numbers.reserve(*count);
    for (unsigned i = 0; i < *count; i++) {
      std::optional<std::uint32_t> number;
      if (width == AsnWidth::four)
        number = cursor.number<std::uint32_t>();
      else
        number = cursor.number<std::uint16_t>();
      if (!number || *number == 0) return std::nullopt;
      segment.numbers.push_back(*number);
    }
    path.push_back(std::move(segment));
  }
  return path;
}

std::uint32_t length_of(const AsPath& path) {
  std::uint32_t length = 0;
  for (const AsSegment& segment : path) length += length_of(segment);
  return length;
}

AsPath merge(AsPath old, AsPath as4) {
  std::erase_if(as4, confederation);
  const std::uint32_t whole = length_of(old), known = length_of(as4);
  if (known > whole) return old;
  std::uint32_t lead = whole - known;
  AsPath merged;
  for (AsSegment& segment : old) {
    const std::uint32_t length = length_of(segment);
    if (lead == 0 && length != 0) break;
    if (length > lead) segment.numbers.resize(lead);  // a sequence: a set is one or none
    lead -= std::min(lead, length);
    merged.push_back(std::move(segment));
  }
  for (AsSegment& segment : as4) merged.push_back(std::move(segment));
  return merged;
}

void fill(const AsPath& from, BgpPath& path) {
  path.as_path_length = length_of(from);
  for (const AsSegment& segment : from)
    path.as_path.insert(path.as_path.end(), segment.numbers.begin(), segment.numbers.end());
  // What begins with a confederation's numbers was said by a router of our own confederation.
  if (!from.empty() && from.front().type == AsSegment::Type::sequence)
    path.neighbour_as = from.front().numbers.front();
}

}  // namespace hopwise::bgp
