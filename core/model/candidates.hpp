// What is to be told of the paths that BGP told of and the kernel does not use: plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace hopwise {

struct CandidatesStatus {
  std::size_t prefixes = 0;  // with at least one candidate
  /// Paths that BGP tells of now to prefixes that the kernel has a route to, by what became of
  /// them: "taken", "in_use", "longer_as_path", ... (routes::OfferVerdict).
  std::map<std::string, std::size_t> paths{};
  std::uint64_t plain_routes = 0;  // times that a route did without them for want of groups
  std::size_t withheld = 0;        // groups whose candidates may not carry: a session was lost
  std::uint64_t lost_sessions = 0;
};

}  // namespace hopwise
