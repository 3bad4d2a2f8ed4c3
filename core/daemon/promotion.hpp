// Which destinations get a group of their own: decided at each look at the traffic, with
// hysteresis. Pure: no clock, no route.
//
// A prefix is promoted when in three looks in a row it was among the heaviest, surely had its share
// of its group's bytes and enough traffic to be measured by, while the rest of the group had its
// share too: where a prefix is all of its group, a group of its own would be the same again. It is
// demoted when for thirty looks it surely had less than half of that, and not before it has lived
// for five minutes. A look changes a few only, the heaviest first. Where room runs out it is the
// lightest that go, at once: routing's own groups come first.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/time.hpp"

namespace hopwise {

class Promotion {
 public:
  struct Terms {
    std::size_t count = 256;  // promoted at a time, at most
    double min_share = 0.01;  // of the group's bytes
    std::ptrdiff_t room = 0;  // groups that may be added; negative: that must go
  };
  struct Candidate {
    Prefix prefix;
    double share = 0;       // 0..1 of the bytes of the group that routing gives it: surely ...
    double share_most = 0;  // ... and at most
    double bit_s = 0;       // surely
  };
  struct Changes {
    std::vector<Prefix> promote, demote;

    [[nodiscard]] bool none() const { return promote.empty() && demote.empty(); }
  };

  static constexpr int kLooksToPromote = 3;
  static constexpr int kLooksToDemote = 30;
  static constexpr Duration kShortestLife = std::chrono::minutes(5);
  static constexpr std::size_t kChangesPerLook = 16;  // of each kind
  /// Less is too few packets to measure by.
  static constexpr double kLeastBitRate = 100'000;

  /// `heaviest`: the most bytes first, with all that are promoted and still have a counter.
  /// What it returns takes effect when begun() or ended() is told.
  Changes look(std::span<const Candidate> heaviest, const Terms& terms, TimePoint now);
  void begun(const Prefix& prefix, TimePoint now);
  /// Demoted, or ended by routing.
  void ended(const Prefix& prefix);

  [[nodiscard]] std::size_t promoted() const { return promoted_.size(); }
  [[nodiscard]] std::vector<Prefix> all() const;
  [[nodiscard]] bool is_promoted(const Prefix& prefix) const { return promoted_.contains(prefix); }

 private:
  struct Life {
    TimePoint since{};
    int weak_looks = 0;
    double share = 0;
  };
  void weigh(std::span<const Candidate> heaviest, const Terms& terms);
  [[nodiscard]] std::vector<Prefix> to_promote(std::span<const Candidate> heaviest,
                                               const Terms& terms);
  [[nodiscard]] std::vector<Prefix> to_demote(const Terms& terms, TimePoint now) const;

  std::map<Prefix, Life> promoted_;
  std::map<Prefix, int> strong_looks_;  // in a row, of those that are not promoted
};

}  // namespace hopwise
