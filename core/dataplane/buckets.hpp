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

/// A table with these counts in which each path's buckets lie as evenly apart as they can (smooth
/// weighted round robin), never in runs.
std::vector<std::uint32_t> interleave(std::span<const std::uint32_t> counts);

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

/// The moves that bring `table` to `target` counts: exactly the sum of the positive differences,
/// the longest idle buckets first. Buckets unused for less than `idle_after_ms` are busy: at most
/// `busy_moves` of those move, except that every bucket of an `evacuate`d path moves now.
MovePlan plan_moves(const BucketTable& table, std::span<const std::uint32_t> target,
                    const std::vector<bool>& evacuate, std::uint32_t idle_after_ms,
                    std::uint32_t busy_moves);

}  // namespace hopwise::dataplane
