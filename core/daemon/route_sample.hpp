// Which routes are compared with the routing daemon's: of every set of nexthops one prefix a round,
// another one each time, so that a fault of one set is seen within a round however many prefixes
// use it. A round walks all prefixes in slices, for a million of them take a while.
#pragma once

#include <deque>
#include <random>
#include <unordered_map>
#include <unordered_set>

#include "core/daemon/steering.hpp"
#include "core/routes/follower.hpp"

namespace hopwise {

class RouteSample {
 public:
  /// Goes on with the round; begins one where `every` has passed since the last began. Takes a
  /// millisecond or so.
  void walk(const Steering& steering, const routes::Follower& follower, Duration every,
            TimePoint now);
  /// The next prefix to look at.
  std::optional<Prefix> next();

 private:
  static constexpr std::size_t kSlice = 4096;  // prefixes
  static constexpr std::size_t kMostSets = 1024;

  struct Candidate {
    Prefix prefix;
    std::size_t seen = 0;  // prefixes of this set, in this round
  };

  std::minstd_rand random_;
  std::optional<Prefix> after_{};
  bool walking_ = false;
  std::optional<TimePoint> began_{};
  std::unordered_map<routes::NexthopSet, Candidate> sets_;  // equal ones are one object
  std::deque<Prefix> waiting_;
};

}  // namespace hopwise
