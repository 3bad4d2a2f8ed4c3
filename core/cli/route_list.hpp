// `hopwise routes`: which route an address takes and why, and the routes there are, page by page as
// the daemon tells them: a million go by in the memory of one page. Knows the daemon only through
// `ask`.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "core/api/client.hpp"
#include "core/model/result.hpp"

namespace hopwise::cli {

/// As typed.
struct RouteLine {
  std::string where{};  // an address, a prefix, or nothing
  std::string group{}, nexthop{}, family{}, limit{};
  bool longer = false;
  bool left_to_kernel = false;
  bool steered = false;
  bool count = false;
  bool json = false;
};

struct RouteTalk {
  std::function<Result<api::Reply>(const std::string& method, const std::string& target)> ask;
  std::ostream& out;
  std::ostream& err;
};

/// The exit status: 0 told, 1 no daemon or no such route, 2 the line is wrong. Ends when `out` can
/// be written no more.
int run_routes(const RouteLine& line, const RouteTalk& talk);

}  // namespace hopwise::cli
