#include "core/engine/evidence.hpp"

namespace hopwise::engine {

bool PathEvidence::observe(const PathReading& reading) {
  newest_ = reading;
  return true;
}

std::optional<double> PathEvidence::passive_ms(TimePoint) const {
  if (!newest_ || !newest_->rtt || newest_->rtt->samples == 0) return std::nullopt;
  return milliseconds(newest_->rtt->p50);
}

std::optional<double> PathEvidence::retransmitted(TimePoint) const {
  return std::nullopt;
}

std::optional<double> PathEvidence::ece(TimePoint) const {
  return std::nullopt;
}

std::vector<Fused> fuse(std::span<const PathEvidence* const>,
                        std::span<const Reading* const> active, TimePoint) {
  std::vector<Fused> fused(active.size());
  for (std::size_t i = 0; i < active.size(); ++i)
    if (active[i] != nullptr) fused[i].reading = *active[i];
  return fused;
}

}  // namespace hopwise::engine
