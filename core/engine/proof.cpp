#include "core/engine/proof.hpp"

namespace hopwise::engine {

void Proof::observe(const PathReading&) {}
void Proof::observe(const ControlReading&) {}
void Proof::advance(TimePoint) {}
std::optional<Gain> Proof::gain() const {
  return std::nullopt;
}
bool Proof::reverted(TimePoint) const {
  return false;
}
void Proof::remember(GroupMemory&, TimePoint) const {}
void Proof::recall(const GroupMemory&, TimePoint) {}

}  // namespace hopwise::engine
