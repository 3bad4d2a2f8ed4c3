// A bandwidth from the dispersion of packet trains: packets of one size leave back to back, the
// narrowest link of the path draws them apart, and the reflector's receive stamps (T2 of STAMP) say
// how far. Pure.
//
//   rate of a train = bytes that arrived after the first batch / (last stamp - first stamp)
//
// A batch is what one interrupt of the reflector's interface delivered: its stamps stand close
// together and say when the batch was read, not when each packet came. So the first batch only
// starts the clock; without coalescing every batch is one packet, and this is the usual
// (N - 1) x L / dispersion. Other traffic on the path only draws a train further apart, and each
// lost packet counts as none: a train shows less than there is. What may show more, queues behind
// the narrow link that press a train together, the median over the newest trains keeps out, as long
// as it is seldom. The figure is a lower bound.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "core/model/bandwidth.hpp"
#include "core/model/time.hpp"

namespace hopwise::probes {

/// One packet of a train, as the reflector saw it.
struct TrainArrival {
  std::uint32_t index = 0;  // of the packet, in the order of sending, from 0
  Duration at{};            // the reflector's clock, any origin
};

struct Train {
  std::uint32_t packets = 0;           // sent
  std::uint32_t packet_bytes = 0;      // of layer 3, each
  std::vector<TrainArrival> arrivals;  // in any order, each packet at most once
};

enum class TrainFault : std::uint8_t {
  none,
  lost,        // more than a quarter of the packets: the train has no known shape
  reordered,   // more than a tenth: several ways, no one narrow link
  undispersed  // all in one batch: faster than the reflector's stamps tell
};
std::string_view text(TrainFault fault);

struct Dispersion {
  TrainFault fault = TrainFault::none;
  double bit_s = 0;           // with fault none; at most kMostTold
  std::uint32_t lost = 0;     // packets
  std::uint32_t batches = 0;  // fewer than packets: the reflector's interface coalesces
};

/// Beyond, stamps of software tell nothing.
inline constexpr double kMostTold_bit_s = 1e9;

Dispersion dispersion_of(const Train& train);

/// What the newest trains say together.
class TrainEstimate {
 public:
  void observe(const Dispersion& dispersion, TimePoint at);
  /// The median of at least kLeast trains.
  [[nodiscard]] std::optional<Bandwidth> bandwidth() const;
  /// Trains in turn that told nothing.
  [[nodiscard]] std::uint32_t fruitless() const { return fruitless_; }

  static constexpr std::size_t kLeast = 3;
  static constexpr std::size_t kKept = 9;

 private:
  std::deque<double> rates_;  // newest last
  TimePoint newest_;
  std::uint32_t fruitless_ = 0;
};

}  // namespace hopwise::probes
