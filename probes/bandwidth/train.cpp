#include "probes/bandwidth/train.hpp"

#include <algorithm>

namespace hopwise::probes {
namespace {

// Of the mean gap: closer stamps are of one batch.
constexpr Duration::rep kBatchShare = 4;

std::uint32_t count_reordered(const std::vector<TrainArrival>& by_time) {
  std::uint32_t reordered = 0;
  std::uint32_t newest = 0;
  for (const TrainArrival& arrival : by_time) {
    if (arrival.index < newest) ++reordered;
    newest = std::max(newest, arrival.index);
  }
  return reordered;
}

}  // namespace

std::string_view text(TrainFault fault) {
  switch (fault) {
    case TrainFault::none:
      return "none";
    case TrainFault::lost:
      return "lost";
    case TrainFault::reordered:
      return "reordered";
    case TrainFault::undispersed:
      return "undispersed";
  }
  return "unknown";
}

Dispersion dispersion_of(const Train& train) {
  std::vector<TrainArrival> arrivals = train.arrivals;
  std::sort(arrivals.begin(), arrivals.end(), [](const TrainArrival& a, const TrainArrival& b) {
    return a.at != b.at ? a.at < b.at : a.index < b.index;
  });
  Dispersion told;
  const auto came = static_cast<std::uint32_t>(arrivals.size());
  told.lost = train.packets - std::min(came, train.packets);
  if (came < 2 || told.lost * 4 > train.packets) {
    told.fault = TrainFault::lost;
    return told;
  }
  if (count_reordered(arrivals) * 10 > came) {
    told.fault = TrainFault::reordered;
    return told;
  }
  const Duration whole = arrivals.back().at - arrivals.front().at;
  const Duration close = whole / (came - 1) / kBatchShare;
  std::uint32_t first_batch = came;
  Duration started = arrivals.front().at;  // when the first batch was read
  Duration ended{};                        // and when the last one was
  told.batches = 1;
  for (std::uint32_t i = 1; i < came; ++i) {
    if (arrivals[i].at - arrivals[i - 1].at <= close) {
      continue;
    }
    if (++told.batches == 2) first_batch = i;
    ended = arrivals[i].at;
  }
  if (told.batches < 2) {
    told.fault = TrainFault::undispersed;
    return told;
  }
  const double bits = 8.0 * train.packet_bytes * (came - first_batch);
  told.bit_s = std::min(bits / seconds(ended - started), kMostTold_bit_s);
  return told;
}

void TrainEstimate::observe(const Dispersion& dispersion, TimePoint at) {
  if (dispersion.fault != TrainFault::none) {
    ++fruitless_;
    return;
  }
  fruitless_ = 0;
  newest_ = at;
  rates_.push_back(dispersion.bit_s);
  if (rates_.size() > kKept) rates_.pop_front();
}

std::optional<Bandwidth> TrainEstimate::bandwidth() const {
  if (rates_.size() < kLeast) return std::nullopt;
  std::vector<double> sorted(rates_.begin(), rates_.end());
  // Of an even number the lesser: the figure is a lower bound.
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return Bandwidth{BandwidthMethod::train, static_cast<std::uint64_t>(*middle), newest_};
}

}  // namespace hopwise::probes
