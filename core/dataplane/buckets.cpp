#include "core/dataplane/buckets.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bpf/hash.h"

namespace hopwise::dataplane {
namespace {

// Gives one bucket, taken from the largest, to each path with a weight that rounding left without.
void give_each_one(std::span<const double> weights, std::vector<std::uint32_t>& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0 || !(weights[i] > 0)) continue;
    const auto largest = std::max_element(counts.begin(), counts.end());
    if (*largest <= 1) return;
    --*largest;
    counts[i] = 1;
  }
}

// The owner that weighted rendezvous hashing gives a bucket: the highest of count / -ln(u), where u
// is uniform in (0, 1), of the bucket and the name.
std::uint32_t ranked_owner(std::uint32_t bucket, std::span<const std::uint32_t> counts,
                           std::span<const std::uint32_t> names) {
  std::uint32_t best = 0;
  double best_score = -1;
  for (std::uint32_t i = 0; i < counts.size(); ++i) {
    const double u = (hw_rendezvous_rank(bucket * 0x85ebca6bU, names[i]) + 0.5) / 4294967296.0;
    const double score = counts[i] / -std::log(u);
    if (score <= best_score) continue;
    best = i;
    best_score = score;
  }
  return best;
}

}  // namespace

std::vector<std::uint32_t> apportion(std::span<const double> weights, std::uint32_t buckets) {
  std::vector<double> share(weights.size());
  std::transform(weights.begin(), weights.end(), share.begin(),
                 [](double w) { return std::isfinite(w) && w > 0 ? w : 0.0; });
  if (share.empty()) return {};
  double sum = std::accumulate(share.begin(), share.end(), 0.0);
  if (!(sum > 0) || !std::isfinite(sum)) {
    std::fill(share.begin(), share.end(), 1.0);
    sum = static_cast<double>(share.size());
  }

  std::vector<std::uint32_t> counts(share.size());
  std::vector<double> remainder(share.size());
  std::uint32_t given = 0;
  for (std::size_t i = 0; i < share.size(); ++i) {
    const double exact = share[i] / sum * buckets;
    counts[i] = std::min(static_cast<std::uint32_t>(exact), buckets - given);
    remainder[i] = exact - counts[i];
    given += counts[i];
  }
  std::vector<std::size_t> order(share.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return remainder[a] > remainder[b]; });
  for (std::size_t i = 0; given < buckets; i = (i + 1) % order.size(), ++given) ++counts[order[i]];
  give_each_one(share, counts);
  return counts;
}

std::vector<std::uint32_t> share_out(std::span<const std::uint32_t> counts,
                                     std::span<const std::uint32_t> names) {
  const auto buckets = std::accumulate(counts.begin(), counts.end(), std::uint32_t{0});
  std::vector<std::uint32_t> owner(buckets);
  for (std::uint32_t i = 0; i < buckets; ++i) owner[i] = ranked_owner(i, counts, names);
  const std::vector<std::uint32_t> idle(buckets);
  const std::vector<Leave> leave(counts.size(), Leave::fast);
  for (const BucketMove& move : plan_moves({owner, idle}, counts, leave, {}).moves)
    owner[move.bucket] = move.to;
  return owner;
}

MovePlan plan_moves(const BucketTable& table, std::span<const std::uint32_t> target,
                    std::span<const Leave> leave, MovePace pace) {
  const std::size_t paths = target.size();
  const auto is_path = [&](std::uint32_t owner) { return owner < paths; };
  const auto way = [&](std::uint32_t owner) {
    return is_path(owner) ? leave[owner] : Leave::wholly;
  };

  std::vector<std::int64_t> surplus(paths);
  for (std::size_t i = 0; i < paths; ++i) surplus[i] = -std::int64_t{target[i]};
  for (const std::uint32_t owner : table.owner)
    if (is_path(owner)) ++surplus[owner];

  // The most urgent come first; the index makes the plan reproducible.
  std::vector<std::uint32_t> order(table.owner.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const Leave first = way(table.owner[a]), second = way(table.owner[b]);
    if (first != second) return first > second;
    if (table.idle_ms[a] == table.idle_ms[b]) return a < b;
    return (table.idle_ms[a] > table.idle_ms[b]) == (first == Leave::gently);
  });

  MovePlan plan;
  for (const std::uint32_t bucket : order) {
    const std::uint32_t owner = table.owner[bucket];
    if (is_path(owner) && surplus[owner] <= 0) continue;
    if (way(owner) == Leave::gently && table.idle_ms[bucket] < pace.idle_after_ms) {
      if (pace.busy_moves == 0) {
        --surplus[owner];
        ++plan.deferred;
        continue;
      }
      --pace.busy_moves;
    }
    const auto neediest = std::min_element(surplus.begin(), surplus.end());
    if (neediest == surplus.end() || *neediest >= 0) break;
    ++*neediest;
    if (is_path(owner)) --surplus[owner];
    plan.moves.push_back({bucket, static_cast<std::uint32_t>(neediest - surplus.begin())});
  }
  return plan;
}

}  // namespace hopwise::dataplane
