// Weights into buckets, and from one table to the next with the fewest moves. Pure arithmetic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hopwise::dataplane {

/// Largest-remainder (Hamilton) apportionment of `buckets` by `weights` (>= 0, any sum): the counts
/// add up to `buckets`, each within one of its exact share; equal remainders go to the earlier one.
/// All zero weights share equally. A positive weight gets at least one bucket where there are
/// enough.
std::vector<std::uint32_t> apportion(std::span<const double> weights, std::uint32_t buckets);

/// A table with these counts. Each bucket has the nexthop (`names`, one for each count) that
/// weighted rendezvous hashing gives it, but for the few that the exact counts need elsewhere: so
/// two tables differ in little more than their nexthops do (Thaler and Ravishankar, 1998).
std::vector<std::uint32_t> share_out(std::span<const std::uint32_t> counts,
                                     std::span<const std::uint32_t> names);

/// One bucket's owner is to change: `bucket` now holds path number `to` (an index, not an id).
struct BucketMove {
  std::uint32_t bucket;
  std::uint32_t to;
};

/// The table as it is: who owns each bucket (an index into the group's paths, or anything >= the
/// number of paths for "nobody"), and how long each has been unused.
struct BucketTable {
  std::span<const std::uint32_t> owner;
  std::span<const std::uint32_t> idle_ms;
};

struct MovePlan {
  std::vector<BucketMove> moves;
  std::uint32_t deferred = 0;  // busy buckets that must wait for a later call
};

/// How a path is left, as far as it has more than its share.
enum class Leave : std::uint8_t {
  gently,  // the longest idle buckets first, the busy ones at the pace that is allowed
  fast,    // now, the busiest first: what stays behind, to see whether it gets better, is idle
  wholly,  // now, every bucket
};

/// How gently traffic moves (see Options).
struct MovePace {
  std::uint32_t idle_after_ms = 0;  // a bucket unused for less is busy
  std::uint32_t busy_moves = 0;     // of them at most so many at a time
};

/// The moves that bring `table` to `target` counts: exactly the sum of the positive differences.
/// `leave` is of each path; buckets of nobody are given away now.
MovePlan plan_moves(const BucketTable& table, std::span<const std::uint32_t> target,
                    std::span<const Leave> leave, MovePace pace);

}  // namespace hopwise::dataplane
