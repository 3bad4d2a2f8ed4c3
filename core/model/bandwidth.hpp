// What is known of a nexthop's bandwidth, and how well. Every figure says its method and whether it
// is the truth or only a lower bound.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/model/time.hpp"

namespace hopwise {

enum class BandwidthMethod : std::uint8_t {
  configured,    // the operator's word: exact
  link,          // the interface's speed: exact, of the first hop
  passive_peak,  // the most that was carried lately, decaying: a lower bound
  train,         // dispersion of a packet train to a STAMP reflector: a lower bound
};
std::string_view text(BandwidthMethod method);  // "configured", "link", "passive_peak", "train"

struct Bandwidth {
  BandwidthMethod method = BandwidthMethod::link;
  std::uint64_t bit_s = 0;        // of layer 3 packets towards the nexthop
  std::optional<TimePoint> at{};  // when it was measured; empty for what is not measured

  [[nodiscard]] bool exact() const {
    return method == BandwidthMethod::configured || method == BandwidthMethod::link;
  }
};

}  // namespace hopwise
