// Where to listen, as whom, and to which peers: the configuration's "bgp" and "bmp".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/address.hpp"
#include "core/model/time.hpp"

namespace hopwise::bgp {

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  auto operator<=>(const Endpoint&) const = default;
};

struct PeerOptions {
  IpAddress address;       // where its connections come from
  std::string password{};  // TCP MD5 (RFC 2385), at most 80 bytes; empty: none
  Duration hold_time = std::chrono::seconds(9);  // offered; the shorter of both ends rules
  /// Of both families. One more ends the session, and holds the peer off.
  std::size_t max_prefixes = 2'000'000;

  bool operator==(const PeerOptions&) const = default;
};

struct Options {
  /// Empty: no listener at all. FRR refuses a neighbour whose address is one of its own
  /// interfaces', so the default is an address that lo answers to and has not: all of 127.0.0.0/8
  /// is local.
  std::vector<Endpoint> listen{};
  std::uint32_t as = 0;         // that of the peers: the sessions are internal
  std::uint32_t router_id = 0;  // host byte order; not that of a peer (RFC 6286)
  std::vector<PeerOptions> peers{};

  bool operator==(const Options&) const = default;
};

struct BmpRouterOptions {
  IpAddress address;  // where its connections come from
  /// Of each session that it tells of; beyond, that session's paths are dropped.
  std::size_t max_prefixes = 2'000'000;

  bool operator==(const BmpRouterOptions&) const = default;
};

struct BmpOptions {
  std::vector<Endpoint> listen{};  // empty: no receiver at all
  std::vector<BmpRouterOptions> routers{};

  bool operator==(const BmpOptions&) const = default;
};

}  // namespace hopwise::bgp
