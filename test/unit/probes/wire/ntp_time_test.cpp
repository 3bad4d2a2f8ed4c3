#include "probes/wire/ntp_time.hpp"

#include "test/catch.hpp"

using namespace hopwise;
using namespace hopwise::probes;
using namespace std::chrono_literals;

TEST_CASE("NTP time is wall time and 2,208,988,800 seconds", "[stamp]") {
  CHECK(to_ntp(WallTime(0s)) == 0x83aa7e8000000000U);
  CHECK(to_ntp(WallTime(500ms)) == 0x83aa7e8080000000U);
  CHECK(to_ntp(WallTime(-500ms)) == 0x83aa7e7f80000000U);
  CHECK(from_ntp(0x83aa7e8080000000U) == WallTime(500ms));
}

TEST_CASE("NTP time begins anew in February 2036", "[stamp]") {
  const WallTime last(2085978495s + 999999999ns);
  CHECK(to_ntp(last) >> 32U == 0xffffffffU);
  CHECK(to_ntp(last + 1ns) == 0);
  CHECK(from_ntp(0) == last + 1ns);
  CHECK(from_ntp(to_ntp(last)) == last);
  CHECK(from_ntp(to_ntp(WallTime(3000000000s + 7ns))) == WallTime(3000000000s + 7ns));
}

TEST_CASE("every nanosecond survives NTP time there and back", "[stamp]") {
  for (std::int64_t n = 0; n < 1'000'000'000; n += 999'983)
    REQUIRE(from_ntp(to_ntp(WallTime(1790000000s + Duration(n)))) ==
            WallTime(1790000000s + Duration(n)));
  for (std::int64_t n = 0; n < 5000; n++)
    REQUIRE(from_ntp(to_ntp(WallTime(Duration(n)))) == WallTime(Duration(n)));
}

TEST_CASE("PTP's truncated time is seconds and nanoseconds", "[stamp]") {
  CHECK(from_ptp(0x6a00000000000007U) == WallTime(std::chrono::seconds(0x6a000000) + 7ns));
}

TEST_CASE("an error estimate is never less than the error, and little more", "[stamp]") {
  for (const Duration error : {Duration(0ns), Duration(1ns), Duration(59ns), Duration(60ns),
                               Duration(1us), Duration(123456ns), Duration(10ms), Duration(3s),
                               Duration(std::chrono::hours(24 * 365 * 100))}) {
    const auto estimate = ErrorEstimate::of(error);
    INFO(error.count());
    CHECK(estimate.multiplier != 0);
    const auto bounded = std::min(error, Duration(std::chrono::seconds(1LL << 31U)));
    CHECK(estimate.error() + 1ns >= bounded);
    CHECK(estimate.error() <= bounded + bounded / 100 + 1ns);
    CHECK(ErrorEstimate::from(estimate.word()) == estimate);
  }
}

TEST_CASE("an error estimate's bits are S, Z, six of scale and eight of multiplier", "[stamp]") {
  ErrorEstimate estimate;
  CHECK(estimate.word() == 0x0001);
  estimate = {true, ErrorEstimate::Format::ptp, 0x15, 0xa5};
  CHECK(estimate.word() == 0xd5a5);
  for (std::uint32_t word = 0; word <= 0xffff; word++)
    REQUIRE(ErrorEstimate::from(static_cast<std::uint16_t>(word)).word() == word);
  CHECK(ErrorEstimate{true, ErrorEstimate::Format::ntp, 63, 255}.error() > 10s);
}
