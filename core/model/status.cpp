#include "core/model/status.hpp"

#include <algorithm>

namespace hopwise {

std::string_view text(Void why) {
  switch (why) {
    case Void::not_left:
      return "not_left";
    case Void::strayed:
      return "strayed";
    case Void::overflow:
      return "overflow";
    case Void::neighbour:
      return "neighbour";
    case Void::rules:
      return "rules";
  }
  return "unknown";
}

std::string_view text(ProbeState state) {
  switch (state) {
    case ProbeState::waiting:
      return "waiting";
    case ProbeState::probing:
      return "probing";
    case ProbeState::suspicious:
      return "suspicious";
    case ProbeState::unbound:
      return "unbound";
  }
  return "unknown";
}

std::optional<Duration> ProbeStatus::spread() const {
  std::optional<Duration> least, most;
  for (const ProbeFlow& flow : flows) {
    if (!flow.rtt) continue;
    least = std::min(least.value_or(*flow.rtt), *flow.rtt);
    most = std::max(most.value_or(*flow.rtt), *flow.rtt);
  }
  return least ? std::optional(*most - *least) : std::nullopt;
}

}  // namespace hopwise
