#include "core/metrics/page.hpp"

#include <prometheus/metric_family.h>

namespace hopwise::metrics {
namespace {

constexpr std::size_t kHistogramLines = RttHistogram::kBounds + 3;  // "+Inf", sum and count

prometheus::MetricType type_of(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return prometheus::MetricType::Counter;
    case MetricKind::summary:
      return prometheus::MetricType::Summary;
    case MetricKind::histogram:
      return prometheus::MetricType::Histogram;
    case MetricKind::gauge:
      break;
  }
  return prometheus::MetricType::Gauge;
}

}  // namespace

struct Page::Family {
  std::vector<prometheus::ClientMetric> series;
  std::size_t lines = 0;
  bool left_out = false;
};

Page::Page(std::size_t limit) : room_(limit), families_(std::size(kMetrics)) {}
Page::~Page() = default;

// Null, and counted, when there is no room: then what the family had already goes as well.
prometheus::ClientMetric* Page::series(Metric metric, std::size_t lines, const Labels& labels) {
  Family& family = families_[static_cast<std::size_t>(metric)];
  if (!family.left_out && room_ < lines) {
    family.left_out = true;
    room_ += family.lines;
    dropped_ += family.lines;
    family.series.clear();
  }
  if (family.left_out) {
    dropped_ += lines;
    return nullptr;
  }
  room_ -= lines;
  family.lines += lines;
  auto& added = family.series.emplace_back();
  added.label.reserve(labels.size() + 1);
  for (const Label& label : labels) added.label.push_back({label.name, label.value});
  return &added;
}

void Page::add(Metric metric, double value, const Labels& labels) {
  auto* added = series(metric, 1, labels);
  // The family's type tells which of the two is written.
  if (added != nullptr) added->gauge.value = added->counter.value = value;
}

void Page::add(Metric metric, double value, const Labels& labels, const Label& more) {
  auto* added = series(metric, 1, labels);
  if (added == nullptr) return;
  added->label.push_back({more.name, more.value});
  added->gauge.value = added->counter.value = value;
}

void Page::add(Metric metric, const PassiveTotal& total, const std::optional<PassiveRtt>& now,
               const Labels& labels) {
  auto* added = series(metric, now ? 6 : 2, labels);
  if (added == nullptr) return;
  added->summary.sample_count = total.samples;
  added->summary.sample_sum = seconds(total.sum);
  if (!now) return;
  added->summary.quantile = {{0.1, seconds(now->p10)},
                             {0.5, seconds(now->p50)},
                             {0.9, seconds(now->p90)},
                             {0.99, seconds(now->p99)}};
}

void Page::add(Metric metric, const RttHistogram& histogram, const Labels& labels) {
  auto* added = series(metric, kHistogramLines, labels);
  if (added == nullptr) return;
  added->histogram.sample_count = histogram.count();
  added->histogram.sample_sum = seconds(histogram.sum);
  added->histogram.bucket.reserve(RttHistogram::kBounds);
  std::uint64_t until = 0;
  for (std::size_t n = 0; n < RttHistogram::kBounds; ++n)
    added->histogram.bucket.push_back(
        {until += histogram.counts[n], seconds(RttHistogram::bound(n))});
}

std::vector<prometheus::MetricFamily> Page::take() {
  std::vector<prometheus::MetricFamily> filled;
  for (std::size_t i = 0; i < families_.size(); ++i) {
    if (families_[i].series.empty()) continue;
    filled.push_back({kMetrics[i].name, kMetrics[i].help, type_of(kMetrics[i].kind),
                      std::move(families_[i].series)});
  }
  families_ = std::vector<Family>(std::size(kMetrics));
  return filled;
}

}  // namespace hopwise::metrics
