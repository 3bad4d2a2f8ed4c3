// What the traffic itself tells of a path, without a probe.
#pragma once

#include <array>
#include <cstdint>

#include "core/model/time.hpp"

namespace hopwise {

/// How a passive round-trip time was taken (bpf/abi.h has the sources). The last is weak evidence.
enum class PassiveMethod : std::uint8_t { timestamp, handshake, sequence, echo, quic, spin };
inline constexpr std::size_t kPassiveMethods = 6;
const char* text(PassiveMethod method);

using PassiveSamples = std::array<std::uint64_t, kPassiveMethods>;

/// Round-trip times between this router and the flows' peers over a stretch of time, as quantiles
/// of a histogram: each within 1/32 of the true one. TCP timestamps tick in milliseconds at most
/// senders: +-1 ms.
struct PassiveRtt {
  std::uint64_t samples = 0;  // of sound methods; none of the times below holds without any
  Duration mean{};
  Duration p10{};
  Duration p50{};
  Duration p90{};
  Duration p99{};
  PassiveSamples by_method{};  // samples, weak ones too
};

/// All that were taken since the daemon began.
struct PassiveTotal {
  std::uint64_t samples = 0;  // of sound methods
  Duration sum{};             // of these
  PassiveSamples by_method{};
};

}  // namespace hopwise
