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
  std::uint64_t bit_s = 0;        // towards the nexthop: of layer 3 packets; link: of the line
  std::optional<TimePoint> at{};  // when it was measured; empty for what is not measured

  [[nodiscard]] bool exact() const {
    return method == BandwidthMethod::configured || method == BandwidthMethod::link;
  }
};

/// What a nexthop's interface carries now, by the interface's own counters: the traffic of all who
/// use it, with the link's headers.
struct Load {
  double forward_bit_s = 0;             // out
  double reverse_bit_s = 0;             // in
  std::optional<double> utilisation{};  // forward, of what is known exactly: 0..1
};

}  // namespace hopwise
