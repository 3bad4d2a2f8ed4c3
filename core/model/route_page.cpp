#include "core/model/route_page.hpp"

namespace hopwise {

std::string_view text(RouteBecause because) {
  switch (because) {
    case RouteBecause::steered:
      return "steered";
    case RouteBecause::own:
      return "local, on-link, blackhole or the like";
    case RouteBecause::single:
      return "one nexthop";
    case RouteBecause::filtered:
      return "excluded by the configuration";
    case RouteBecause::forwarding:
      return "the kernel does not forward this family";
    case RouteBecause::too_large:
      return "more nexthops than a group may have";
    case RouteBecause::no_ids:
      return "no id of a group, path or nexthop is left";
  }
  return "unknown";
}

}  // namespace hopwise
