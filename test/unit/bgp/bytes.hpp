// BGP messages written by hand, for tests: bytes as the RFCs draw them.
#pragma once

#include <string>
#include <vector>

#include "core/bgp/nlri.hpp"
#include "core/bgp/open.hpp"
#include "core/bgp/wire.hpp"

namespace hopwise::bgp::test {

using Octets = std::vector<std::uint8_t>;

inline Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// "40 01 01 00".
inline Octets hex(const std::string& text) {
  Octets out;
  std::string digits;
  for (const char c : text)
    if (c != ' ') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  return out;
}

inline Octets with_size(const Octets& bytes) {
  Octets out;
  put(out, static_cast<std::uint16_t>(bytes.size()));
  return out + bytes;
}

/// What follows the header of an UPDATE.
inline Octets body(const Octets& withdrawn, const Octets& attributes, const Octets& nlri) {
  return with_size(withdrawn) + with_size(attributes) + nlri;
}

inline Octets attribute(std::uint8_t flags, std::uint8_t type, const Octets& value) {
  Octets out{static_cast<std::uint8_t>(flags | 0x10U), type};
  return out + with_size(value);
}

inline const Octets kOriginIgp = hex("40 01 01 00");
/// AS_SEQUENCE 65001 65002, of four octets each.
inline const Octets kPath = hex("40 02 0a 02 02 0000fde9 0000fdea");
inline const Octets kNexthop = hex("40 03 04 0a630202");  // 10.99.2.2
inline const Octets kUsual = kOriginIgp + kPath + kNexthop;

inline Octets prefix(const std::string& text) {
  Octets out;
  put_nlri(out, {Prefix::parse(text).value(), 0}, PathIds::absent);
  return out;
}

inline Octets prefix(const std::string& text, std::uint32_t path_id) {
  Octets out;
  put_nlri(out, {Prefix::parse(text).value(), path_id}, PathIds::present);
  return out;
}

inline Octets message(MessageType type, const Octets& what = {}) {
  return finish(begin(type) + what);
}

/// An OPEN of a routing daemon: both families, all paths.
inline Open daemon_open(std::uint32_t as = 65000) {
  Open open{as, 9, 0x0a63ff01, {}};
  open.capabilities.unicast = {true, true};
  open.capabilities.multiprotocol = true;
  open.capabilities.route_refresh = true;
  open.capabilities.extended_nexthop = true;
  open.capabilities.as = as;
  open.capabilities.add_path = {{.send = true}, {.send = true}};
  return open;
}

inline IpAddress address(const std::string& text) {
  return IpAddress::parse(text).value();
}
inline Prefix net(const std::string& text) {
  return Prefix::parse(text).value();
}

}  // namespace hopwise::bgp::test
