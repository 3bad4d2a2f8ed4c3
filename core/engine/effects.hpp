// What came of a decision, beside what it predicted.
//
// Of a group the newest decision that moved more than one percent of the traffic is kept, with the
// figures of that moment. Half a minute later, when flows have had the time to follow the weights,
// or when the next such decision comes (not before five seconds: until then the newer one takes its
// place), the figures are taken again and both are told. A path that has left the group meanwhile
// is left out. Pure: figures and time are arguments.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/model/decision.hpp"

namespace hopwise::engine {

/// A path as it is measured now. Empty: not known.
struct PathFigures {
  PathId path{};
  double weight = 0;               // share of the movable traffic, as decided
  std::optional<double> rtt_ms{};  // by all evidence, probes and traffic
  std::optional<double> bit_s{};   // on the nexthop, of all who use it
  std::optional<double> utilisation{};
  double loss = 0;  // of probes, 0..1
};

/// Mean round-trip time by weight; empty where paths of more than a tenth of the weight are not
/// timed. Figures that are not finite or negative count as not known.
std::optional<double> mean_rtt_ms(std::span<const PathFigures> paths);

class Effects {
 public:
  /// Whether this decision is one to keep; only then need figures be gathered for note().
  [[nodiscard]] static bool notable(const Decision& decision);
  /// Keeps it, with the figures before it took effect. Returns the effect of the one that was kept
  /// until now, where that had five seconds.
  std::optional<Effect> note(const Decision& decision, std::span<const PathFigures> figures);
  /// Whether advance() would tell of an effect: only then need figures be gathered.
  [[nodiscard]] bool due(TimePoint now) const;
  /// The effect of the decision that is kept, once it is due; it is then forgotten.
  std::optional<Effect> advance(TimePoint now, std::span<const PathFigures> figures);

 private:
  struct Kept {
    std::uint64_t decision = 0;
    GroupId group{};
    TimePoint at;
    std::optional<double> before_ms;
  };
  [[nodiscard]] Effect effect(TimePoint now, std::span<const PathFigures> figures) const;

  std::optional<Kept> kept_;
  std::vector<Effect::OfPath> predicted_;  // of the kept one; its memory is used again
};

}  // namespace hopwise::engine
