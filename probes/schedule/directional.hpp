// Loss there and loss back, from the numbers of a stateful STAMP reflector; pure.
//
// Such a reflector numbers its replies by itself (RFC 8762, 4.3), a stateless one repeats the
// request's number. Between two replies, what the requests' numbers went on further than the
// replies' was lost on the way there, and replies whose number was never seen on the way back. As
// long as both numbers agree the reflector may be of either sort, and nothing is told.
#pragma once

#include <cstdint>
#include <optional>

#include "core/model/status.hpp"

namespace hopwise::probes {

/// Of one session: one port of ours and one reflector.
class Directional {
 public:
  /// A reply: the number of the request that it answers, and its own.
  void observe(std::uint32_t request, std::uint32_t reply);
  /// Empty: nothing says yet that the reflector counts.
  [[nodiscard]] std::optional<DirectionalLoss> loss() const;

 private:
  struct Numbers {
    std::uint32_t request = 0, reply = 0;
  };
  std::optional<Numbers> newest_;
  bool stateful_ = false;
  DirectionalLoss loss_;
};

}  // namespace hopwise::probes
