#include "probes/schedule/budget.hpp"

#include <algorithm>

namespace hopwise::probes {
namespace {

constexpr double kMeanJitter = 0.875;
// What fell due in so long a time may go at once.
constexpr double kBurstSeconds = 0.1;
constexpr double kLeastBurst = 64;
constexpr Duration kBetweenPacings = std::chrono::milliseconds(100);
// Chance must not hold back what the paces allow.
constexpr double kRefillMargin = 1.05;

Duration slowest(Duration interval) {
  return std::max(interval, kSlowestPace);
}

double total(const Demand& demand, const Paces& paces) {
  return static_cast<double>(demand.usual) * rate_of(paces.usual) +
         static_cast<double>(demand.suspicious) * rate_of(paces.suspicious);
}

// The interval at which `count` streams use up `rate`, between their own and the slowest.
Duration stretched(Duration interval, std::size_t count, double rate) {
  if (count == 0) return interval;
  const double each = rate / static_cast<double>(count);
  if (each <= rate_of(slowest(interval))) return slowest(interval);
  return std::max(interval, std::chrono::duration_cast<Duration>(
                                std::chrono::duration<double>(1 / (each * kMeanJitter))));
}

}  // namespace

double rate_of(Duration interval) {
  return 1 / (kMeanJitter * std::max(seconds(interval), 1e-9));
}

Paces share(const Options& options, const Demand& demand) {
  Paces paces{options.interval, options.suspicious_interval};
  const double suspicious = static_cast<double>(demand.suspicious) * rate_of(paces.suspicious);
  paces.usual = stretched(paces.usual, demand.usual, options.budget - suspicious);
  if (demand.usual != 0 && paces.usual < slowest(options.interval)) return paces;
  const double usual = static_cast<double>(demand.usual) * rate_of(paces.usual);
  paces.suspicious = stretched(paces.suspicious, demand.suspicious, options.budget - usual);
  return paces;
}

Budget::Budget(const Options& options, TimePoint now)
    : options_(options), paced_(now), filled_(now) {
  divide();
  tokens_ = kLeastBurst;
}

void Budget::reconfigure(const Options& options) {
  options_ = options;
  divide();
}

void Budget::change(const Demand& gone, const Demand& come) {
  demand_.usual += come.usual - gone.usual;
  demand_.suspicious += come.suspicious - gone.suspicious;
  divide();
}

void Budget::divide() {
  paces_ = share(options_, demand_);
  longest_ = {std::max(longest_.usual, paces_.usual),
              std::max(longest_.suspicious, paces_.suspicious)};
  refill_ = std::max(options_.budget, granted()) * kRefillMargin;
}

bool Budget::loosened(TimePoint now) {
  const bool shorter =
      2 * paces_.usual <= longest_.usual || 2 * paces_.suspicious <= longest_.suspicious;
  if (!shorter || now - paced_ < kBetweenPacings) return false;
  longest_ = paces_;
  paced_ = now;
  return true;
}

bool Budget::spend(TimePoint now) {
  tokens_ = std::min(tokens_ + seconds(now - filled_) * refill_,
                     std::max(refill_ * kBurstSeconds, kLeastBurst));
  filled_ = now;
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

double Budget::wanted() const {
  return total(demand_, {options_.interval, options_.suspicious_interval});
}

double Budget::granted() const {
  return total(demand_, paces_);
}

}  // namespace hopwise::probes
