// The staging device, as probes see it: where one rule leads the probes of all nexthops, and from
// where a TC program sends each on by its mark. Made by whoever may load programs
// (dataplane::Stage); absent where there is none, and then every nexthop has a rule, however many
// there are. Called on the prober's io_context only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "core/model/path.hpp"
#include "core/model/result.hpp"

namespace hopwise::probes {

struct Staging {
  /// Makes the device; its ifindex. Again: the same, or another where it had to be made anew. What
  /// is led stays led.
  std::function<Result<std::uint32_t>()> open;
  /// From now on packets with the mark of `id` leave by that interface and gateway; the mark is
  /// cleared.
  std::function<Result<>(NexthopId id, const NexthopKey& key)> lead;
  std::function<void(NexthopId id)> forget;
  /// Removes the device; what is on its way in it is lost.
  std::function<void()> close;
  /// Packets by what became of them in the device, since the first one was made.
  std::function<std::map<std::string, std::uint64_t>()> counts{};

  explicit operator bool() const { return open != nullptr; }
};

}  // namespace hopwise::probes
