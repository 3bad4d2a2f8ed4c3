#include "core/model/passive.hpp"

namespace hopwise {

const char* text(PassiveMethod method) {
  switch (method) {
    case PassiveMethod::timestamp:
      return "timestamp";
    case PassiveMethod::handshake:
      return "handshake";
    case PassiveMethod::sequence:
      return "sequence";
    case PassiveMethod::echo:
      return "echo";
    case PassiveMethod::quic:
      return "quic";
    case PassiveMethod::spin:
      return "spin";
  }
  return "unknown";
}

}  // namespace hopwise
