// A scrape's gauges and counters, read from a Status.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/metrics/table.hpp"
#include "core/model/status.hpp"
#include "core/model/time.hpp"

namespace prometheus {
struct ClientMetric;
struct MetricFamily;
}  // namespace prometheus

namespace hopwise::metrics {

struct Label {
  const char* name;
  std::string value;
};

/// Collects series under the metrics of the table. Beyond `limit` series it drops and counts.
class Page {
 public:
  explicit Page(std::size_t limit);
  ~Page();

  void add(Metric metric, double value, std::vector<Label> labels = {});
  void add(Metric metric, std::uint64_t value, std::vector<Label> labels = {}) {
    add(metric, static_cast<double>(value), std::move(labels));
  }

  /// Count and sum are of all time, quantiles of the present, where they are known.
  void add(Metric metric, const PassiveTotal& total, const std::optional<PassiveRtt>& now,
           std::vector<Label> labels);

  [[nodiscard]] std::size_t dropped() const { return dropped_; }
  /// The families that have series, in the table's order. Empties the page.
  std::vector<prometheus::MetricFamily> take();

 private:
  prometheus::ClientMetric* series(Metric metric, std::size_t lines, std::vector<Label> labels);

  std::size_t room_;
  std::size_t dropped_ = 0;
  std::vector<prometheus::MetricFamily> families_;  // by Metric
};

/// Adds all that `status` says. Figures that are not known have no series.
void fill(Page& page, const Status& status, TimePoint now);

}  // namespace hopwise::metrics
