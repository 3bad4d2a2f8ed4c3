#include "probes/reflect/limiter.hpp"

#include <algorithm>
#include <cstring>

namespace hopwise::probes {
namespace {

constexpr int kSubscriberBits = 64;  // of IPv6

// The finalizer of splitmix64: every bit of `x` moves every bit of the result.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

}  // namespace

bool TokenBucket::offers(double rate, TimePoint now) {
  const double most = std::max(rate, 1.0);
  tokens_ = tokens_ < 0 ? most : std::min(most, tokens_ + rate * seconds(now - filled_));
  filled_ = now;
  return tokens_ >= 1;
}

std::size_t SeededHash::operator()(const IpAddress& address) const {
  std::uint64_t upper = 0, lower = 0;
  std::memcpy(&upper, address.bytes.data(), sizeof(upper));
  std::memcpy(&lower, address.bytes.data() + sizeof(upper), sizeof(lower));
  return mix(mix(mix(seed ^ upper) ^ lower) ^ static_cast<std::uint64_t>(address.family));
}

Limiter::Limiter(const Rates& rates, std::uint64_t seed)
    : rates_(rates), sources_(rates.sources, SeededHash{seed}) {}

Limiter::Verdict Limiter::ask(const IpAddress& source, TimePoint now) {
  TokenBucket& own =
      sources_.at(source.is_v4() ? source : Prefix::covering(source, kSubscriberBits).address);
  if (!own.offers(rates_.source, now)) return Verdict::source_over;
  if (!all_.offers(rates_.all, now)) return Verdict::all_over;
  own.take();
  all_.take();
  return Verdict::allowed;
}

}  // namespace hopwise::probes
