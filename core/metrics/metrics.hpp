// Prometheus metrics: one table of names, help texts and kinds, filled from a Status at scrape.
//
// Counters and gauges are read from the snapshot by a custom Collectable, which never throws; only
// the RTT histograms are kept here between scrapes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/model/sample.hpp"
#include "core/model/status.hpp"

namespace hopwise::metrics {

class Metrics {
 public:
  /// `snapshot` is called at each scrape.
  explicit Metrics(std::function<Status()> snapshot);
  ~Metrics();

  /// Adds the RTT of a reply, late ones included, to its nexthop's histogram.
  void observe(const Sample& sample, const Nexthop& nexthop);
  /// Drops the histograms under this name: when a nexthop goes, or before it is renamed.
  void forget(const Nexthop& nexthop);

  /// The whole page, text format 0.0.4. A snapshot that throws makes it short, not fail.
  [[nodiscard]] std::string scrape() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hopwise::metrics
