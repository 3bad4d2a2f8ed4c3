#include "core/engine/demand.hpp"

#include <cmath>
#include <numeric>

namespace hopwise::engine {

void Demand::set_paths(std::span<const int> kept) {
  std::vector<OfPath> next(kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (kept[i] >= 0 && static_cast<std::size_t>(kept[i]) < paths_.size())
      next[i] = paths_[static_cast<std::size_t>(kept[i])];
  paths_ = std::move(next);
}

bool Demand::observe(std::size_t path, const PathReading& reading, double) {
  if (path >= paths_.size() || reading.over <= Duration::zero()) return false;
  paths_[path] = {8 * static_cast<double>(reading.traffic.forward_bytes) / seconds(reading.over),
                  reading.at};
  return true;
}

std::optional<double> Demand::total_bit_s(TimePoint) const {
  double total = 0;
  bool any = false;
  for (const OfPath& p : paths_) {
    total += p.carried_bit_s;
    any = any || p.at;
  }
  return any ? std::optional(total) : std::nullopt;
}

double Demand::carried_bit_s(std::size_t path) const {
  return path < paths_.size() ? paths_[path].carried_bit_s : 0;
}

double Demand::predicted_bit_s(std::size_t, double weight) const {
  double total = 0;
  for (const OfPath& p : paths_) total += p.carried_bit_s;
  return weight * total;
}

}  // namespace hopwise::engine
