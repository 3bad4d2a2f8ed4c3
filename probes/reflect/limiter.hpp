// How many replies a second anybody gets: a token bucket a source, and one for all together. Pure.
//
// A source is an IPv4 address or an IPv6 /64, which one host can fill at will. One that asks too
// much spends its own tokens only: what is refused to it costs the common bucket nothing. Sources
// that come and go (forged ones) begin with a full bucket; the common one bounds them.
#pragma once

#include <cstdint>

#include "core/model/address.hpp"
#include "core/model/time.hpp"
#include "probes/reflect/recent.hpp"

namespace hopwise::probes {

/// Tokens come at a rate, to at most one second's.
class TokenBucket {
 public:
  /// Whether a token is there at `now`; it stays. A bucket begins full.
  bool offers(double rate, TimePoint now);
  void take() { tokens_ -= 1; }

 private:
  double tokens_ = -1;  // not filled yet
  TimePoint filled_;
};

/// Keyed by `seed`: who does not know it cannot choose what collides.
struct SeededHash {
  std::uint64_t seed = 0;
  std::size_t operator()(const IpAddress& address) const;
};

class Limiter {
 public:
  enum class Verdict : std::uint8_t { allowed, source_over, all_over };
  struct Rates {
    double source = 0, all = 0;  // a second
    std::size_t sources = 0;     // remembered
  };

  Limiter(const Rates& rates, std::uint64_t seed);
  Verdict ask(const IpAddress& source, TimePoint now);

 private:
  Rates rates_;
  TokenBucket all_;
  Recent<IpAddress, TokenBucket, SeededHash> sources_;
};

}  // namespace hopwise::probes
