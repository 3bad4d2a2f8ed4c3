#include "core/model/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hopwise {
namespace {

int address_family(Family f) {
  return f == Family::v4 ? AF_INET : AF_INET6;
}

bool same_leading_bits(const IpAddress& a, const IpAddress& b, int bits) {
  if (std::memcmp(a.bytes.data(), b.bytes.data(), static_cast<std::size_t>(bits / 8)) != 0)
    return false;
  if (bits % 8 == 0) return true;
  const auto byte = static_cast<std::size_t>(bits / 8);
  return ((a.bytes[byte] ^ b.bytes[byte]) >> (8 - bits % 8)) == 0;
}

}  // namespace

bool IpAddress::is_link_local() const {
  if (is_v4()) return bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(address_family(family), bytes.data(), buffer.data(), buffer.size());
  return buffer.data();
}

IpAddress IpAddress::from_bytes(Family family, const void* data) {
  IpAddress address{family, {}};
  std::memcpy(address.bytes.data(), data, address.size());
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  for (const Family family : {Family::v4, Family::v6}) {
    IpAddress address{family, {}};
    if (inet_pton(address_family(family), terminated.c_str(), address.bytes.data()) == 1)
      return address;
  }
  return std::nullopt;
}

bool Prefix::contains(const IpAddress& a) const {
  return a.family == address.family && same_leading_bits(a, address, length);
}

bool Prefix::contains(const Prefix& p) const {
  return p.length >= length && contains(p.address);
}

std::string Prefix::text() const {
  return address.text() + '/' + std::to_string(length);
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  int length = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  if (length < 0 || length > address->bits()) return std::nullopt;
  const Prefix prefix = covering(*address, length);
  if (prefix.address != *address) return std::nullopt;
  return prefix;
}

Prefix Prefix::covering(IpAddress address, int length) {
  for (int bit = length; bit < address.bits(); ++bit)
    address.bytes[static_cast<std::size_t>(bit / 8)] &=
        static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  return Prefix{address, static_cast<std::uint8_t>(length)};
}

}  // namespace hopwise
