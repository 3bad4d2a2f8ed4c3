#include "core/daemon/flow_growth.hpp"

#include <algorithm>

namespace hopwise {
namespace {

// A slot whose flow has not grown for so many looks is anybody's.
constexpr std::uint32_t kForgotten = 2;

}  // namespace

FlowGrowth::FlowGrowth(int bits) : slots_(std::size_t{1} << std::clamp(bits, 2, 24)) {}

void FlowGrowth::begin(TimePoint now, Duration interval) {
  now_ = now;
  interval_ = interval;
  ++look_;
}

double FlowGrowth::estimate(const Flow& flow) const {
  const double bytes = static_cast<double>(flow.bytes);
  if (flow.last_seen < now_ - interval_) return 0;
  const Duration age = now_ - flow.started;
  return age <= interval_ ? bytes : bytes * (seconds(interval_) / seconds(age));
}

bool FlowGrowth::yields(const Slot& slot, const Flow& flow) const {
  return slot.look == 0 || look_ - slot.look > kForgotten || slot.bytes < flow.bytes;
}

double FlowGrowth::grown(const Flow& flow) {
  const auto tag = static_cast<std::uint32_t>(flow.id >> 32);
  Slot* const set = &slots_[(flow.id % (slots_.size() / kWays)) * kWays];
  Slot* least = set;
  for (Slot* slot = set; slot != set + kWays; ++slot) {
    // Fewer bytes than before: another flow, or the same one begun anew.
    if (slot->look != 0 && slot->tag == tag && slot->bytes <= flow.bytes) {
      const std::uint64_t before = slot->bytes;
      if (flow.bytes > before) *slot = {flow.bytes, tag, look_};
      return static_cast<double>(flow.bytes - before);
    }
    const auto rank = [this](const Slot& s) {
      return s.look == 0 || look_ - s.look > kForgotten ? std::uint64_t{0} : s.bytes;
    };
    if (rank(*slot) < rank(*least)) least = slot;
  }
  const double grown = estimate(flow);
  if (grown > 0 && flow.bytes >= kWorthKeeping && yields(*least, flow))
    *least = {flow.bytes, tag, look_};
  return grown;
}

}  // namespace hopwise
