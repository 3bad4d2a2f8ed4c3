// A nexthop as a carrier of traffic: what it can carry, what it carries, and what of that is ours.
//
// Capacity is what was told, or what was learnt where nothing exact was told: cut when a queue
// stands while most of the load is our own, grown slowly while all is clean. Somebody else's queue
// (little of the load is ours) teaches nothing. A commit bounds it from above by what the 95th
// percentile of the period still allows.
#pragma once

#include <optional>

#include "core/engine/memory.hpp"
#include "core/engine/policy.hpp"
#include "core/model/law.hpp"
#include "core/model/reading.hpp"

namespace hopwise::engine {

class Carrier {
 public:
  void set_terms(const NexthopTerms& terms) { terms_ = terms; }
  [[nodiscard]] const NexthopTerms& terms() const { return terms_; }

  /// By the interface's counters. False: impossible, and ignored.
  bool observe(const LoadReading& reading);
  /// What all paths over it carried of ours, bits a second, averaged as the load is.
  void carried(double own_bit_s, TimePoint at);
  /// The path's queue now; `certain`: it surely stands above the noise.
  void learn(double queue_ms, double loss, TimePoint now);

  /// What the law may load it to; empty: nothing is known that could bound it.
  [[nodiscard]] std::optional<double> capacity_bit_s(TimePoint now) const;
  /// Forward load that is not ours to move: of hosts and routes that are not steered.
  [[nodiscard]] double background_bit_s() const;
  [[nodiscard]] CarrierView view(TimePoint now) const;

  void remember(NexthopMemory& memory, TimePoint now) const;
  void recall(const NexthopMemory& memory, TimePoint now);

 private:
  NexthopTerms terms_;
  std::optional<double> load_bit_s_;
  std::optional<double> own_bit_s_;
};

}  // namespace hopwise::engine
