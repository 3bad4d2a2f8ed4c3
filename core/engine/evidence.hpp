// What a path's own traffic tells of it, and the fusion of that with what its nexthop's probes
// tell. Probes see every path all the time, at few anchors; traffic sees where it goes, while it
// goes. Paths of a group carry like traffic, so what differs between their passive times is the
// paths'. Each side counts by its confidence and its age; where both are sure and disagree, that is
// told, and what the users feel counts.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/engine/estimator.hpp"
#include "core/model/reading.hpp"

namespace hopwise::engine {

class PathEvidence {
 public:
  /// False: impossible, and ignored.
  bool observe(const PathReading& reading);

  [[nodiscard]] std::optional<double> passive_ms(TimePoint now) const;     // typical, lately
  [[nodiscard]] std::optional<double> retransmitted(TimePoint now) const;  // ratio
  [[nodiscard]] std::optional<double> ece(TimePoint now) const;            // ratio

 private:
  std::optional<PathReading> newest_;
};

/// A path's figures by all that is known.
struct Fused {
  std::optional<Reading> reading{};  // as a Reading of probes, corrected by the traffic's
  double passive_share = 0;          // of the evidence on delay, 0..1
  std::optional<double> disagreement_ms{};
};

/// Of all paths of one group at once: passive times count by their differences.
std::vector<Fused> fuse(std::span<const PathEvidence* const> passive,
                        std::span<const Reading* const> active, TimePoint now);

}  // namespace hopwise::engine
