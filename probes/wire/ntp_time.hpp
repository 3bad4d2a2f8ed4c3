// The timestamps of STAMP: NTP's 64 bits (RFC 5905, 6), or PTP's truncated 64 (RFC 8186, 2.3), and
// what their sender says of their error (RFC 4656, 4.1.2). Pure.
#pragma once

#include <cstdint>

#include "core/model/time.hpp"

namespace hopwise::probes {

/// Seconds since 1900 in the upper half, modulo 2^32, and their fraction in the lower. A whole
/// nanosecond survives the way there and back.
std::uint64_t to_ntp(WallTime time);
/// The time between 1968 and 2104 that is written so: era 1 begins in February 2036.
WallTime from_ntp(std::uint64_t stamp);

/// PTP's: seconds since 1970 modulo 2^32, and nanoseconds. Its clock is TAI, ahead of ours by the
/// leap seconds: differences of two of them hold, one against ours does not.
WallTime from_ptp(std::uint64_t stamp);

struct ErrorEstimate {
  enum class Format : std::uint8_t { ntp, ptp };

  bool synchronised = false;    // S: to UTC, by a source outside
  Format format = Format::ntp;  // Z: of the timestamps that it goes with
  std::uint8_t scale = 0;       // 0 to 63
  std::uint8_t multiplier = 1;  // never 0 in what we say; 0 in what came: nothing is known

  bool operator==(const ErrorEstimate&) const = default;

  /// The smallest that is not less than `error`, unsynchronised; 2^31 s for what is more.
  static ErrorEstimate of(Duration error);
  /// multiplier * 2^(scale - 32) s.
  [[nodiscard]] Duration error() const;

  [[nodiscard]] std::uint16_t word() const;
  static ErrorEstimate from(std::uint16_t word);
};

}  // namespace hopwise::probes
