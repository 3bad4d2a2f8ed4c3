// What flows have carried since the last look at them, in memory of a fixed size.
//
// The flow table keeps bytes since a flow began. A table of what was seen at the last look turns
// these into growth: 4-way sets of 16-byte slots, found by a 64-bit hash of the flow. Where all
// four are taken, the flow with the most bytes keeps the slot, so that it is the heavy flows whose
// growth is exact. A flow without a slot is taken to have grown as it did over its life:
//
//   bytes x min(1, time since the last look / age)
//
// which is exact for a flow that is younger than the last look, and wrong for an older one by as
// much as its rate differs from its mean; never by more than its bytes. A flow that has sent
// nothing since the last look has not grown.
#pragma once

#include <cstdint>
#include <vector>

#include "core/model/time.hpp"

namespace hopwise {

class FlowGrowth {
 public:
  struct Flow {
    std::uint64_t id = 0;  // a hash: nobody must be able to choose it
    std::uint64_t bytes = 0;
    TimePoint started{};
    TimePoint last_seen{};
  };

  /// Flows with fewer bytes get no slot.
  static constexpr std::uint64_t kWorthKeeping = 16'384;

  /// 2^`bits` slots, at least 4.
  explicit FlowGrowth(int bits = 16);

  /// A look begins; the one before began `interval` ago.
  void begin(TimePoint now, Duration interval);
  /// Bytes of this flow since the last look. Once a flow and look.
  double grown(const Flow& flow);

  [[nodiscard]] std::size_t bytes() const { return slots_.capacity() * sizeof(Slot); }

 private:
  struct Slot {
    std::uint64_t bytes = 0;
    std::uint32_t tag = 0;
    std::uint32_t look = 0;  // the last that saw it grow; 0: free
  };
  static constexpr std::size_t kWays = 4;

  [[nodiscard]] double estimate(const Flow& flow) const;
  [[nodiscard]] bool yields(const Slot& slot, const Flow& flow) const;

  std::vector<Slot> slots_;
  std::uint32_t look_ = 1;
  TimePoint now_{};
  Duration interval_{};
};

}  // namespace hopwise
