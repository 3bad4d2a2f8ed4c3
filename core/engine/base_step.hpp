// Has the way itself become longer? Tells a step of the base (a route change) from a queue.
//
// A queue comes and goes: of half a minute of probes some meet it short, and the times spread. Has
// the *lowest* of the last 30 s risen over the base, by more than 2 ms, 10 % and the usual spread,
// while mean less lowest is what it was, then the way is longer. A queue that is always full looks
// the same; whether the load explains one the caller must ask (Carrier::may_queue()).
#pragma once

#include <cstdint>
#include <optional>

#include "core/engine/slot_ring.hpp"
#include "core/model/time.hpp"

namespace hopwise::engine {

class BaseStep {
 public:
  /// `base_ms` as it is with this reply.
  void observe(double rtt_ms, double base_ms, TimePoint known);
  /// How far the lowest RTT of late lies above the base, in ms, if that is no queue's doing.
  [[nodiscard]] std::optional<double> step(double base_ms) const;
  /// Lowest RTT of late; empty while too little is known.
  [[nodiscard]] std::optional<double> lowest() const;

 private:
  struct Replies {
    double lowest_ms = 0;
    double sum_ms = 0;
    std::uint32_t count = 0;
  };
  struct Summary {
    double lowest_ms = 0;
    double spread_ms = 0;  // mean less lowest
  };
  [[nodiscard]] std::optional<Summary> summary() const;

  SlotRing<Replies> recent_{std::chrono::seconds(30)};
  std::optional<double> usual_spread_ms_;
  std::optional<TimePoint> learnt_;
};

}  // namespace hopwise::engine
