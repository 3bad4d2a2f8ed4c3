// Prometheus metrics: one table of names, help texts and kinds, filled from a Status at scrape.
//
// Everything is read from the snapshot but the probers' round-trip times, which are counted here
// between scrapes, under the ids of their nexthops: names are the snapshot's business.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>

#include "core/metrics/rtt_histograms.hpp"
#include "core/model/sample.hpp"
#include "core/model/status.hpp"

namespace hopwise::metrics {

class Metrics {
 public:
  /// `snapshot` is called at each scrape.
  explicit Metrics(std::function<Status()> snapshot) : snapshot_(std::move(snapshot)) {}

  /// Adds the RTT of a reply, late ones included, to its prober's histogram.
  void observe(const Sample& sample) { rtts_.observe(sample); }
  /// Drops the histograms of a nexthop that is gone: its id may be another's next.
  void forget(NexthopId nexthop) { rtts_.forget(nexthop); }
  /// Drops those of anchors that are gone. All that there are, ordered by nexthop.
  void keep(std::span<const ProbeStatus> probers) { rtts_.keep(probers); }

  /// The whole page, text format 0.0.4. Never throws: a snapshot that does makes it short.
  [[nodiscard]] std::string scrape() const;

 private:
  std::function<Status()> snapshot_;
  RttHistograms rtts_;
  mutable std::atomic<std::uint64_t> failures_ = 0;
};

}  // namespace hopwise::metrics
