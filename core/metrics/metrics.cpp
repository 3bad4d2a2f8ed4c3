#include "core/metrics/metrics.hpp"

#include <prometheus/collectable.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <map>

#include "core/metrics/page.hpp"

namespace hopwise::metrics {
namespace {

// 10,000 series are some 10 ms and a megabyte a scrape; more would be somebody's mistake.
constexpr std::size_t kMaxSeries = 10'000;

/// 50 us to 26 s, doubling: from a cross-connect to the longest time-out.
prometheus::Histogram::BucketBoundaries rtt_buckets() {
  prometheus::Histogram::BucketBoundaries bounds;
  for (int n = 0; n < 20; ++n) bounds.push_back(50e-6 * (1 << n));
  return bounds;
}

/// The snapshot as families. Never throws: a page that cannot be gathered says so and is short.
class StatusPage : public prometheus::Collectable {
 public:
  explicit StatusPage(std::function<Status()> snapshot) : snapshot_(std::move(snapshot)) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    const TimePoint start = std::chrono::steady_clock::now();
    Page page(kMaxSeries);
    try {
      fill(page, snapshot_(), start);
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
    return families;
  }

 private:
  std::function<Status()> snapshot_;
  mutable std::atomic<std::uint64_t> failures_ = 0;
};

}  // namespace

struct Metrics::Impl {
  explicit Impl(std::function<Status()> snapshot) : status(std::move(snapshot)) {}

  StatusPage status;
  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& rtt = prometheus::BuildHistogram()
                                                       .Name(row(Metric::probe_rtt_seconds).name)
                                                       .Help(row(Metric::probe_rtt_seconds).help)
                                                       .Register(registry);
  // Looked up once for each nexthop's name and anchor, not for each sample.
  std::map<std::string, std::map<Anchor, prometheus::Histogram*>> histograms;
};

Metrics::Metrics(std::function<Status()> snapshot)
    : impl_(std::make_unique<Impl>(std::move(snapshot))) {}
Metrics::~Metrics() = default;

void Metrics::observe(const Sample& sample, const Nexthop& nexthop) {
  if (sample.outcome == Outcome::lost) return;
  prometheus::Histogram*& histogram = impl_->histograms[nexthop.name][sample.anchor];
  if (histogram == nullptr)
    histogram = &impl_->rtt.Add({{"nexthop", nexthop.name}, {"target", sample.anchor.text()}},
                                rtt_buckets());
  histogram->Observe(seconds(sample.rtt));
}

void Metrics::forget(const Nexthop& nexthop) {
  const auto found = impl_->histograms.find(nexthop.name);
  if (found == impl_->histograms.end()) return;
  for (const auto& [anchor, histogram] : found->second) impl_->rtt.Remove(histogram);
  impl_->histograms.erase(found);
}

std::string Metrics::scrape() const {
  std::vector<prometheus::MetricFamily> families = impl_->status.Collect();
  for (auto& family : impl_->registry.Collect())
    if (!family.metric.empty()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace hopwise::metrics
