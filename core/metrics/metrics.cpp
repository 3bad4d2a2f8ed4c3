#include "core/metrics/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "core/metrics/page.hpp"

namespace hopwise::metrics {
namespace {

// 10,000 series are some 10 ms and a megabyte a scrape; more would be somebody's mistake.
constexpr std::size_t kMaxSeries = 10'000;

}  // namespace

std::string Metrics::scrape() const {
  const TimePoint start = std::chrono::steady_clock::now();
  Page page(kMaxSeries);
  try {
    fill(page, snapshot_(), rtts_, start);
  } catch (...) {
    ++failures_;
  }
  std::vector<prometheus::MetricFamily> families = page.take();
  Page about_itself(kMaxSeries);
  about_itself.add(Metric::scrape_dropped_series, page.dropped());
  about_itself.add(Metric::scrape_failures_total, failures_.load());
  about_itself.add(Metric::scrape_duration_seconds,
                   seconds(std::chrono::steady_clock::now() - start));
  for (auto& family : about_itself.take()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace hopwise::metrics
