#include "core/metrics/rtt_histograms.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace hopwise::metrics {

std::uint64_t RttHistogram::count() const {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

// Bounds double and belong to their own bucket: the bucket is the number of bits of how often the
// first bound fits below.
void RttHistogram::add(Duration rtt) {
  const auto beyond = static_cast<std::uint64_t>(std::max(rtt.count() - 1, Duration::rep{0}));
  const auto fits = beyond / static_cast<std::uint64_t>(kFirstBound.count());
  ++counts[std::min(static_cast<std::size_t>(std::bit_width(fits)), kBounds)];
  sum += rtt;
}

void RttHistograms::observe(const Sample& sample) {
  auto& entries = nexthops_[sample.nexthop];
  auto found = std::find_if(entries.begin(), entries.end(),
                            [&](const Entry& entry) { return entry.anchor == sample.anchor; });
  if (found == entries.end()) found = entries.insert(found, {sample.anchor, {}});
  RttHistogram& histogram = found->histogram;
  histogram.newest = std::max(histogram.newest, sample.known);
  if (sample.outcome != Outcome::lost) histogram.add(sample.rtt);
}

const RttHistogram* RttHistograms::find(NexthopId nexthop, const Anchor& anchor) const {
  const auto entries = nexthops_.find(nexthop);
  if (entries == nexthops_.end()) return nullptr;
  for (const Entry& entry : entries->second)
    if (entry.anchor == anchor) return &entry.histogram;
  return nullptr;
}

void RttHistograms::keep(std::span<const ProbeStatus> probers) {
  for (auto& [nexthop, entries] : nexthops_) {
    const auto first = std::ranges::lower_bound(probers, nexthop, {}, &ProbeStatus::nexthop);
    const auto last = std::ranges::upper_bound(probers, nexthop, {}, &ProbeStatus::nexthop);
    std::erase_if(entries, [first, last](const Entry& entry) {
      return std::none_of(first, last,
                          [&](const ProbeStatus& prober) { return prober.anchor == entry.anchor; });
    });
  }
  std::erase_if(nexthops_, [](const auto& nexthop) { return nexthop.second.empty(); });
}

}  // namespace hopwise::metrics
