// A scrape's page: series under the metrics of the table, as many as there is room for.
//
// What does not fit is left out by whole families: a sum over half of the nexthops would be a lie.
// Whoever fills the page begins with what matters most.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/metrics/rtt_histograms.hpp"
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
using Labels = std::vector<Label>;

class Page {
 public:
  /// `limit` is of lines: a histogram has many.
  explicit Page(std::size_t limit);
  ~Page();

  void add(Metric metric, double value, const Labels& labels = {});
  void add(Metric metric, std::uint64_t value, const Labels& labels = {}) {
    add(metric, static_cast<double>(value), labels);
  }
  void add(Metric metric, double value, const Labels& labels, const Label& more);
  void add(Metric metric, std::uint64_t value, const Labels& labels, const Label& more) {
    add(metric, static_cast<double>(value), labels, more);
  }

  /// Count and sum are of all time, quantiles of the present, where they are known.
  void add(Metric metric, const PassiveTotal& total, const std::optional<PassiveRtt>& now,
           const Labels& labels);
  void add(Metric metric, const RttHistogram& histogram, const Labels& labels);

  /// Lines left out.
  [[nodiscard]] std::size_t dropped() const { return dropped_; }
  /// The families that have series, in the table's order. Empties the page.
  std::vector<prometheus::MetricFamily> take();

 private:
  struct Family;
  prometheus::ClientMetric* series(Metric metric, std::size_t lines, const Labels& labels);

  std::size_t room_;
  std::size_t dropped_ = 0;
  std::vector<Family> families_;  // by Metric
};

/// Adds all that `status` says, the most important first. Figures that are not known have no
/// series.
void fill(Page& page, const Status& status, const RttHistograms& rtts, TimePoint now);

}  // namespace hopwise::metrics
