#include "probes/wire/ntp_time.hpp"

#include <algorithm>
#include <cmath>

namespace hopwise::probes {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::int64_t kFrom1900To1970 = 2'208'988'800;
constexpr std::int64_t kEra = std::int64_t{1} << 32U;
constexpr std::uint64_t kLow = 0xffffffffU;

constexpr std::uint16_t kSynchronised = 0x8000;
constexpr std::uint16_t kPtp = 0x4000;
constexpr std::uint8_t kMaxScale = 63;

WallTime at(std::int64_t second, std::uint64_t nanoseconds) {
  return WallTime(std::chrono::seconds(second)) + Duration(nanoseconds);
}

}  // namespace

std::uint64_t to_ntp(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto since_1900 =
      static_cast<std::uint64_t>(second.time_since_epoch().count() + kFrom1900To1970);
  const auto rest = static_cast<std::uint64_t>((time - second).count());
  return since_1900 << 32U | (rest << 32U) / kSecond;
}

WallTime from_ntp(std::uint64_t stamp) {
  // RFC 4330, 3: with the highest bit the time lies in 1968 to 2036, without it in 2036 to 2104.
  auto second = static_cast<std::int64_t>(stamp >> 32U) - kFrom1900To1970;
  if (stamp >> 63U == 0) second += kEra;
  return at(second, ((stamp & kLow) * kSecond + (std::uint64_t{1} << 31U)) >> 32U);
}

WallTime from_ptp(std::uint64_t stamp) {
  return at(static_cast<std::int64_t>(stamp >> 32U), stamp & kLow);
}

ErrorEstimate ErrorEstimate::of(Duration error) {
  const auto bounded = std::clamp(error, Duration(0), Duration(std::chrono::seconds(1LL << 31U)));
  const auto total = static_cast<std::uint64_t>(bounded.count());
  // In 2^-32 s, rounded up.
  std::uint64_t units =
      ((total / kSecond) << 32U) + (((total % kSecond) << 32U) + kSecond - 1) / kSecond;
  ErrorEstimate estimate;
  for (; units > 0xff; estimate.scale++) units = (units + 1) / 2;
  estimate.multiplier = static_cast<std::uint8_t>(std::max<std::uint64_t>(units, 1));
  return estimate;
}

Duration ErrorEstimate::error() const {
  const double nanoseconds = std::ldexp(multiplier, scale - 32) * static_cast<double>(kSecond);
  return nanoseconds < static_cast<double>(Duration::max().count())
             ? Duration(static_cast<Duration::rep>(nanoseconds))
             : Duration::max();
}

std::uint16_t ErrorEstimate::word() const {
  return static_cast<std::uint16_t>((synchronised ? kSynchronised : 0) |
                                    (format == Format::ptp ? kPtp : 0) |
                                    std::min(scale, kMaxScale) << 8U | multiplier);
}

ErrorEstimate ErrorEstimate::from(std::uint16_t word) {
  return {(word & kSynchronised) != 0, (word & kPtp) != 0 ? Format::ptp : Format::ntp,
          static_cast<std::uint8_t>(word >> 8U & kMaxScale), static_cast<std::uint8_t>(word)};
}

}  // namespace hopwise::probes
