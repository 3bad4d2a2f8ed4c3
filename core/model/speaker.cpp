#include "core/model/speaker.hpp"

namespace hopwise {

std::string_view text(SpeakerKind kind) {
  switch (kind) {
    case SpeakerKind::none:
      return "none";
    case SpeakerKind::frr:
      return "frr";
    case SpeakerKind::bird:
      return "bird";
  }
  return "unknown";
}

std::string_view text(SpeakerHealth health) {
  switch (health) {
    case SpeakerHealth::absent:
      return "absent";
    case SpeakerHealth::alive:
      return "alive";
    case SpeakerHealth::silent:
      return "silent";
    case SpeakerHealth::dead:
      return "dead";
  }
  return "unknown";
}

std::string_view text(DivergenceKind kind) {
  switch (kind) {
    case DivergenceKind::missing:
      return "missing";
    case DivergenceKind::extra:
      return "extra";
    case DivergenceKind::both:
      return "both";
    case DivergenceKind::weights:
      return "weights";
    case DivergenceKind::unknown:
      return "unknown";
    case DivergenceKind::refused:
      return "refused";
  }
  return "";
}

std::string_view text(BfdState state) {
  switch (state) {
    case BfdState::down:
      return "down";
    case BfdState::up:
      return "up";
    case BfdState::admin_down:
      return "admin_down";
  }
  return "unknown";
}

}  // namespace hopwise
