#include "core/engine/batch_means.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace hopwise::engine {
namespace {

constexpr std::size_t kFewest = 6;

struct Spread {
  double mean = 0;
  double variance = 0;
  double correlation = 0;  // of neighbours
};

Spread spread(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  Spread s;
  for (const double v : x) s.mean += v / n;
  double squares = 0;
  double products = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    squares += (x[i] - s.mean) * (x[i] - s.mean);
    if (i > 0) products += (x[i] - s.mean) * (x[i - 1] - s.mean);
  }
  s.variance = squares / (n - 1);
  s.correlation = squares > 0 ? products / squares : 0;
  return s;
}

}  // namespace

// Exact for one to three degrees of freedom, between them linear in 1/freedom; above, the expansion
// of Cornish and Fisher (Abramowitz and Stegun 26.7.5), within 0.3 %.
double student_t95(double freedom) {
  constexpr std::array<double, 4> kExact{12.706, 4.3027, 3.1824, 2.7764};
  const double f = std::max(freedom, 1.0);
  if (f < 4) {
    const auto i = static_cast<std::size_t>(f);
    const double low = 1.0 / static_cast<double>(i);
    const double high = 1.0 / static_cast<double>(i + 1);
    const double part = (low - 1 / f) / (low - high);
    return kExact[i - 1] + part * (kExact[i] - kExact[i - 1]);
  }
  const double z = 1.959964;
  const double z2 = z * z;
  return z * (1 + (z2 + 1) / (4 * f) + ((5 * z2 + 16) * z2 + 3) / (96 * f * f) +
              (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * f * f * f));
}

std::optional<MeanInterval> mean_interval(std::span<const double> batches) {
  if (batches.size() < kFewest) return std::nullopt;
  const Spread s = spread(batches);
  if (!std::isfinite(s.mean) || !std::isfinite(s.variance)) return std::nullopt;
  const auto n = static_cast<double>(batches.size());
  const double r = std::clamp(s.correlation + (1 + 3 * s.correlation) / n, 0.0, 0.99);
  const double independent = std::max(n * (1 - r) / (1 + r), 2.0);
  const double half = student_t95(independent - 1) * std::sqrt(s.variance / independent);
  return MeanInterval{s.mean, s.mean - half, s.mean + half};
}

}  // namespace hopwise::engine
