#include "core/model/decision.hpp"

namespace hopwise {

std::string_view text(PathState state) {
  switch (state) {
    case PathState::probation:
      return "probation";
    case PathState::up:
      return "up";
    case PathState::degraded:
      return "degraded";
    case PathState::down:
      return "down";
  }
  return "unknown";
}

std::string_view text(Reason reason) {
  switch (reason) {
    case Reason::initial:
      return "initial";
    case Reason::cost:
      return "cost";
    case Reason::path_degraded:
      return "path_degraded";
    case Reason::path_down:
      return "path_down";
    case Reason::link_down:
      return "link_down";
    case Reason::neighbour_lost:
      return "neighbour_lost";
    case Reason::path_recovered:
      return "path_recovered";
    case Reason::ramp:
      return "ramp";
    case Reason::all_worse_hold:
      return "all_worse_hold";
    case Reason::no_alternative_hold:
      return "no_alternative_hold";
    case Reason::overload_hold:
      return "overload_hold";
    case Reason::objective:
      return "objective";
    case Reason::objective_unmet:
      return "objective_unmet";
    case Reason::route_changed:
      return "route_changed";
    case Reason::reverted:
      return "reverted";
    case Reason::resumed:
      return "resumed";
    case Reason::candidate:
      return "candidate";
    case Reason::bfd_down:
      return "bfd_down";
  }
  return "unknown";
}

}  // namespace hopwise
