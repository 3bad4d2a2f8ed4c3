// What is probed behind a nexthop, and how it is asked.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/model/address.hpp"
#include "core/model/result.hpp"

namespace hopwise {

enum class ProbeKind : std::uint8_t {
  icmp,   // echo request (RFC 792, RFC 4443)
  tcp,    // a SYN that is never completed: SYN-ACK and RST both answer
  stamp,  // RFC 8762 and 8972, TWAMP-Light too
  http,   // connect and first byte of a GET
  https,
};

/// "icmp", "tcp", "stamp", "http", "https".
std::string_view text(ProbeKind kind);

/// Two of one address that are asked in different ways are different anchors. `port` is 0 for ICMP
/// and never for the others.
struct Anchor {
  IpAddress address;
  ProbeKind kind = ProbeKind::icmp;
  std::uint16_t port = 0;

  Anchor() = default;
  Anchor(const IpAddress& echo) : address(echo) {}  // NOLINT(google-explicit-constructor)
  Anchor(const IpAddress& host, ProbeKind how, std::uint16_t at)
      : address(host), kind(how), port(at) {}

  auto operator<=>(const Anchor&) const = default;

  /// "203.0.113.1" for ICMP, else "tcp://203.0.113.1:443", "stamp://[2001:db8::1]:862": the port
  /// always, the kind's usual one too.
  [[nodiscard]] std::string text() const;
  /// The inverse. Without a port: 862 for stamp, 80 for http, 443 for https; tcp needs one. A host
  /// name is refused: an anchor must not move. The error tells what is wrong and an example.
  static Result<Anchor> parse(std::string_view text);
};

}  // namespace hopwise

template <>
struct std::hash<hopwise::Anchor> {
  std::size_t operator()(const hopwise::Anchor& a) const noexcept {
    return std::hash<hopwise::IpAddress>{}(a.address) * 131 + a.port * std::size_t{8} +
           static_cast<std::size_t>(a.kind);
  }
};
