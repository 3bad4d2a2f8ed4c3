// Bytes for tests of the wire: IP headers, and what holds of every message that is damaged.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/model/address.hpp"

namespace hopwise::probes {

using Bytes = std::vector<std::uint8_t>;

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// An IPv4 header of `words` 32-bit words before `protocol`, from 192.0.2.1 to 203.0.113.9.
inline Bytes ipv4(std::uint8_t protocol = 1, std::uint8_t words = 5) {
  Bytes header(words * std::size_t{4});
  header[0] = static_cast<std::uint8_t>(0x40U | words);
  header[9] = protocol;
  std::copy_n(IpAddress::parse("192.0.2.1")->bytes.begin(), 4, header.begin() + 12);
  std::copy_n(IpAddress::parse("203.0.113.9")->bytes.begin(), 4, header.begin() + 16);
  return header;
}

/// From 2001:db8::1 to 2001:db8::9.
inline Bytes ipv6(std::uint8_t protocol = 58) {
  Bytes header(40);
  header[0] = 0x60;
  header[6] = protocol;
  std::copy_n(IpAddress::parse("2001:db8::1")->bytes.begin(), 16, header.begin() + 8);
  std::copy_n(IpAddress::parse("2001:db8::9")->bytes.begin(), 16, header.begin() + 24);
  return header;
}

/// `each` for everything that is `whole` with its end cut: exactly so large, so that a sanitizer
/// sees a byte read beyond.
inline void every_truncation(const Bytes& whole, const std::function<void(const Bytes&)>& each) {
  for (std::size_t size = 0; size < whole.size(); size++)
    each(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
}

/// `each` for everything that differs from `whole` in one bit, and the byte where it is.
inline void every_bit_flip(const Bytes& whole,
                           const std::function<void(const Bytes&, std::size_t)>& each) {
  for (std::size_t bit = 0; bit < whole.size() * 8; bit++) {
    Bytes other = whole;
    other[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    each(other, bit / 8);
  }
}

/// RFC 1071, written anew for tests: adding all 16-bit words with end-around carry gives ffff.
inline bool checksum_holds(const Bytes& message) {
  unsigned total = 0;
  for (std::size_t i = 0; i < message.size(); i += 2) {
    total += unsigned{message[i]} << 8U | (i + 1 < message.size() ? message[i + 1] : 0U);
    total = (total & 0xffffU) + (total >> 16U);
  }
  return total == 0xffff;
}

}  // namespace hopwise::probes
