// Round-trip times of each prober, counted between scrapes. A sample costs a look-up by two small
// integers and one increment: thousands a second pass through the control loop.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/model/sample.hpp"
#include "core/model/status.hpp"

namespace hopwise::metrics {

struct RttHistogram {
  /// 50 us to 26 s, doubling, as smokeping_prober's: from a cross-connect to the longest time-out.
  static constexpr Duration kFirstBound = std::chrono::microseconds(50);
  static constexpr std::size_t kBounds = 20;
  static constexpr Duration bound(std::size_t n) { return kFirstBound * (1LL << n); }

  std::array<std::uint64_t, kBounds + 1> counts{};  // not cumulative; the last is beyond all bounds
  Duration sum{};
  TimePoint newest{};  // of any outcome: when it was known

  [[nodiscard]] std::uint64_t count() const;
  void add(Duration rtt);
};

class RttHistograms {
 public:
  /// A loss makes its prober's newest sample newer, and nothing else.
  void observe(const Sample& sample);
  /// Null while nothing was ever observed.
  [[nodiscard]] const RttHistogram* find(NexthopId nexthop, const Anchor& anchor) const;
  void forget(NexthopId nexthop) { nexthops_.erase(nexthop); }
  /// Forgets what belongs to none of these probers, which are ordered by nexthop.
  void keep(std::span<const ProbeStatus> probers);

 private:
  struct Entry {
    Anchor anchor;
    RttHistogram histogram;
  };
  // A nexthop has few anchors: walking past them is cheaper than hashing one.
  std::unordered_map<NexthopId, std::vector<Entry>> nexthops_;
};

}  // namespace hopwise::metrics
