// IP addresses and prefixes of both families, as plain comparable data.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace hopwise {

enum class Family : std::uint8_t { v4 = 4, v6 = 6 };

/// An address in network byte order. IPv4 uses the first four bytes; the others are zero.
struct IpAddress {
  Family family = Family::v4;
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const IpAddress&) const = default;

  [[nodiscard]] bool is_v4() const { return family == Family::v4; }
  [[nodiscard]] std::size_t size() const { return is_v4() ? 4 : 16; }
  [[nodiscard]] int bits() const { return is_v4() ? 32 : 128; }
  [[nodiscard]] bool is_link_local() const;
  [[nodiscard]] bool is_unspecified() const;
  [[nodiscard]] std::string text() const;

  /// `data` holds 4 or 16 bytes, by family.
  static IpAddress from_bytes(Family family, const void* data);
  /// The text forms of inet_pton(3); nothing for anything else.
  static std::optional<IpAddress> parse(std::string_view text);
};

/// An address prefix; bits beyond `length` are zero.
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;

  auto operator<=>(const Prefix&) const = default;

  [[nodiscard]] bool contains(const IpAddress& a) const;
  [[nodiscard]] bool contains(const Prefix& p) const;
  [[nodiscard]] std::string text() const;

  /// "203.0.113.0/24" or "2001:db8::/32". Nothing when the text is no prefix, the length is too
  /// long, or bits are set beyond it (which is nearly always a typing error).
  static std::optional<Prefix> parse(std::string_view text);
  /// `address` with every bit beyond `length` cleared.
  static Prefix covering(IpAddress address, int length);
};

}  // namespace hopwise

template <>
struct std::hash<hopwise::IpAddress> {
  std::size_t operator()(const hopwise::IpAddress& a) const noexcept {
    return std::hash<std::string_view>{}(
               {reinterpret_cast<const char*>(a.bytes.data()), a.bytes.size()}) ^
           static_cast<std::size_t>(a.family);
  }
};

template <>
struct std::hash<hopwise::Prefix> {
  std::size_t operator()(const hopwise::Prefix& p) const noexcept {
    return std::hash<hopwise::IpAddress>{}(p.address) * 131 + p.length;
  }
};
