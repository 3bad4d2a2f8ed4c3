// What the engine has learnt slowly, in a form that outlives the process. Plain data: the daemon
// writes it, keyed by names that mean the same after a restart. Ages instead of times: the clock
// that TimePoint counts begins anew with the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/model/anchor.hpp"
#include "core/model/path.hpp"
#include "core/model/time.hpp"

namespace hopwise::engine {

struct NexthopMemory {
  struct Base {
    Anchor anchor;
    double rtt_ms = 0;
    Duration age{};
  };
  std::vector<Base> bases{};
  std::optional<double> learnt_bit_s{};
  Duration learnt_age{};
  double penalty = 0;      // flap penalty ...
  Duration penalty_age{};  // ... so long ago
  /// Loads of whole 5-minute slots of the present period, bits a second, oldest first, and what
  /// the open slot has so far.
  std::vector<float> commit_slots{};
  Duration commit_age{};  // since the newest whole slot ended
};

struct GroupMemory {
  struct Share {
    NexthopId nexthop{};
    double wanted = 0;
  };
  std::vector<Share> shares{};
  bool reverted = false;
  Duration reverted_for{};    // how long a revert lasts that is still running
  std::uint32_t reverts = 0;  // that are not forgotten yet: the next one is so much longer
  Duration since_revert{};    // since the newest of these was over
};

}  // namespace hopwise::engine
