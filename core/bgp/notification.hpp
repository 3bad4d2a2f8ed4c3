// NOTIFICATION: why a session ends, with the names that the RFCs give (RFC 4271, section 4.5;
// Cease: RFC 4486; its words for people: RFC 9003). Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hopwise::bgp {

enum class ErrorCode : std::uint8_t {
  message_header = 1,
  open = 2,
  update = 3,
  hold_timer = 4,
  fsm = 5,
  cease = 6,
};

namespace header_error {
inline constexpr std::uint8_t kNotSynchronized = 1, kBadLength = 2, kBadType = 3;
}
namespace open_error {
inline constexpr std::uint8_t kVersion = 1, kBadPeerAs = 2, kBadIdentifier = 3, kBadParameter = 4,
                              kHoldTime = 6, kCapability = 7;
}
namespace update_error {
inline constexpr std::uint8_t kMalformedList = 1, kUnrecognizedWellKnown = 2, kOptional = 9,
                              kInvalidNetwork = 10;
}
namespace fsm_error {  // RFC 6608
inline constexpr std::uint8_t kInOpenSent = 1, kInOpenConfirm = 2, kInEstablished = 3;
}
namespace cease {
inline constexpr std::uint8_t kMaxPrefixes = 1, kShutdown = 2, kDeconfigured = 3, kReset = 4,
                              kRejected = 5, kChange = 6, kCollision = 7, kResources = 8;
}

struct Notification {
  ErrorCode code{};  // any number, of what a peer sent
  std::uint8_t subcode = 0;
  std::vector<std::uint8_t> data{};

  bool operator==(const Notification&) const = default;
};

/// "Cease: Maximum Number of Prefixes Reached (6/1)", with the peer's own words behind it where a
/// shutdown brings some; numbers alone for what has no name. Printable ASCII whatever was sent.
std::string text(const Notification& notification);

std::vector<std::uint8_t> build(const Notification& notification);

/// What follows the header. Never fails: the header's check has left it at least two bytes.
Notification parse_notification(std::span<const std::uint8_t> body);

}  // namespace hopwise::bgp
