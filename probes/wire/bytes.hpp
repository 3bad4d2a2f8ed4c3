// Big-endian numbers in messages, and the checksum of the Internet; pure.
//
// No bounds are checked here: who parses looks at the size first, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hopwise::probes {

template <class T>
void put(std::span<std::uint8_t> at, T value) {
  for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8U))
    at[i] = static_cast<std::uint8_t>(value);
}

template <class T>
T get(std::span<const std::uint8_t> at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); i++) value = static_cast<T>(value << 8U | at[i]);
  return value;
}

/// The ones' complement sum of RFC 1071, of 16-bit words; an odd last byte is a word's upper half.
/// `before`: the sum of what comes before, of an even number of bytes. Not inverted.
inline std::uint16_t sum(std::span<const std::uint8_t> bytes, std::uint16_t before = 0) {
  std::uint32_t total = before;
  for (std::size_t i = 0; i < bytes.size(); i++)
    total += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8U : bytes[i];
  while (total >> 16U != 0) total = (total & 0xffffU) + (total >> 16U);
  return static_cast<std::uint16_t>(total);
}

}  // namespace hopwise::probes
