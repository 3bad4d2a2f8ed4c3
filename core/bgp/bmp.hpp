// BMP's bytes (RFC 7854, sections 4 and 10): what a router tells of its sessions with others, each
// message with the header of the peer it is about. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bgp/open.hpp"
#include "core/bgp/update.hpp"

namespace hopwise::bgp::bmp {

enum class MessageType : std::uint8_t {
  route_monitoring = 0,
  statistics_report = 1,
  peer_down = 2,
  peer_up = 3,
  initiation = 4,
  termination = 5,
  route_mirroring = 6,
};

inline constexpr std::size_t kHeaderBytes = 6;
/// A Peer Up holds two OPENs, a Route Monitoring one UPDATE; RFC 7854 names no limit.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{1} << 16;

struct Header {
  std::uint8_t type = 0;   // MessageType, or one that RFC 7854 does not know
  std::size_t length = 0;  // of the whole message, kHeaderBytes..kMaxMessageBytes
};

/// The first six bytes. Nothing where it is not version 3, or the length cannot be: then nobody
/// knows where the next message begins.
std::optional<Header> parse_header(Bytes header);

/// Which of the router's tables a message is about (RFC 7854, section 4.2; RFC 8671; RFC 9069).
enum class View : std::uint8_t { pre_policy, post_policy, rib_out, loc_rib };

/// Which session of the router: a peer's address may stand in several routing instances.
struct PeerId {
  std::uint8_t type = 0;  // 0: global instance, 1: RD instance, 2: local instance
  std::uint64_t distinguisher = 0;
  IpAddress address{};

  auto operator<=>(const PeerId&) const = default;
};

/// The per-peer header.
struct Peer {
  PeerId id;
  View view = View::pre_policy;
  AsnWidth asn = AsnWidth::four;  // of AS_PATHs in this very message
  std::uint32_t as = 0;
};

/// Takes the header off. Nothing where it does not fit.
std::optional<Peer> take_peer(Cursor& cursor);

struct PeerUp {
  IpAddress own;  // the router's end of that session
  Open sent, received;
};

/// What follows the per-peer header. `family`: of the peer's address, whose form `own` has.
std::optional<PeerUp> parse_peer_up(Cursor cursor, Family family);

/// The UPDATE that a Route Monitoring carries: what follows its header, for parse_update().
std::optional<Bytes> parse_route_monitoring(Cursor cursor);

/// What an Initiation says of the router. Printable ASCII whatever was sent.
struct Initiation {
  std::string system_name, system_description;
};
Initiation parse_initiation(Cursor cursor);

/// "peer_down", ...; "unknown" for a number without a name: for counters.
std::string_view text_of_type(std::uint8_t type);

}  // namespace hopwise::bgp::bmp
