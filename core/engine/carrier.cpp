#include "core/engine/carrier.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::engine {

bool Carrier::observe(const LoadReading& reading) {
  if (!std::isfinite(reading.forward_bit_s) || reading.forward_bit_s < 0) return false;
  load_bit_s_ = reading.forward_bit_s;
  return true;
}

void Carrier::carried(double own_bit_s, TimePoint) {
  own_bit_s_ = own_bit_s;
}

void Carrier::learn(double, double, TimePoint) {}

std::optional<double> Carrier::capacity_bit_s(TimePoint) const {
  return terms_.capacity ? std::optional(terms_.capacity->bit_s) : std::nullopt;
}

double Carrier::background_bit_s() const {
  return std::max(0.0, load_bit_s_.value_or(0) - own_bit_s_.value_or(0));
}

CarrierView Carrier::view(TimePoint now) const {
  CarrierView view;
  view.capacity_bit_s = capacity_bit_s(now);
  view.load_bit_s = load_bit_s_;
  view.commit_bit_s = terms_.commit_bit_s;
  view.price = terms_.price;
  return view;
}

void Carrier::remember(NexthopMemory&, TimePoint) const {}
void Carrier::recall(const NexthopMemory&, TimePoint) {}

}  // namespace hopwise::engine
