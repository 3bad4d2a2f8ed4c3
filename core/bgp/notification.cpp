#include "core/bgp/notification.hpp"

#include <algorithm>
#include <array>

#include "core/bgp/wire.hpp"
#include "core/model/format.hpp"

namespace hopwise::bgp {
namespace {

struct Name {
  std::uint8_t code, subcode;
  const char* text;
};

constexpr std::array<const char*, 7> kCodes{"",
                                            "Message Header Error",
                                            "OPEN Message Error",
                                            "UPDATE Message Error",
                                            "Hold Timer Expired",
                                            "Finite State Machine Error",
                                            "Cease"};

constexpr std::array<Name, 32> kSubcodes{{
    {1, 1, "Connection Not Synchronized"},
    {1, 2, "Bad Message Length"},
    {1, 3, "Bad Message Type"},
    {2, 1, "Unsupported Version Number"},
    {2, 2, "Bad Peer AS"},
    {2, 3, "Bad BGP Identifier"},
    {2, 4, "Unsupported Optional Parameter"},
    {2, 6, "Unacceptable Hold Time"},
    {2, 7, "Unsupported Capability"},
    {3, 1, "Malformed Attribute List"},
    {3, 2, "Unrecognized Well-known Attribute"},
    {3, 3, "Missing Well-known Attribute"},
    {3, 4, "Attribute Flags Error"},
    {3, 5, "Attribute Length Error"},
    {3, 6, "Invalid ORIGIN Attribute"},
    {3, 8, "Invalid NEXT_HOP Attribute"},
    {3, 9, "Optional Attribute Error"},
    {3, 10, "Invalid Network Field"},
    {3, 11, "Malformed AS_PATH"},
    {5, 1, "Unexpected Message in OpenSent State"},
    {5, 2, "Unexpected Message in OpenConfirm State"},
    {5, 3, "Unexpected Message in Established State"},
    {6, 1, "Maximum Number of Prefixes Reached"},
    {6, 2, "Administrative Shutdown"},
    {6, 3, "Peer De-configured"},
    {6, 4, "Administrative Reset"},
    {6, 5, "Connection Rejected"},
    {6, 6, "Other Configuration Change"},
    {6, 7, "Connection Collision Resolution"},
    {6, 8, "Out of Resources"},
    {6, 9, "Hard Reset"},
    {6, 10, "BFD Down"},
}};

/// RFC 9003: one byte of length, then UTF-8; of it what a terminal takes.
std::string communication(const Notification& n) {
  if (n.code != ErrorCode::cease || (n.subcode != cease::kShutdown && n.subcode != cease::kReset))
    return {};
  if (n.data.empty() || n.data[0] == 0 || std::size_t{n.data[0]} + 1 > n.data.size()) return {};
  std::string words(n.data.begin() + 1, n.data.begin() + 1 + n.data[0]);
  std::replace_if(
      words.begin(), words.end(), [](char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return ": \"" + words + '"';
}

}  // namespace

std::string text(const Notification& n) {
  const auto code = static_cast<std::uint8_t>(n.code);
  const auto name = std::find_if(kSubcodes.begin(), kSubcodes.end(), [&](const Name& known) {
    return known.code == code && known.subcode == n.subcode;
  });
  std::string text = code != 0 && code < kCodes.size() ? kCodes[code] : "error";
  if (name != kSubcodes.end()) text.append(": ").append(name->text);
  return text + format(" (%u/%u)", code, n.subcode) + communication(n);
}

std::vector<std::uint8_t> build(const Notification& notification) {
  auto message = begin(MessageType::notification);
  put(message, static_cast<std::uint8_t>(notification.code));
  put(message, notification.subcode);
  const std::size_t room = kMaxMessageBytes - message.size();
  const auto size = static_cast<std::ptrdiff_t>(std::min(room, notification.data.size()));
  message.insert(message.end(), notification.data.begin(), notification.data.begin() + size);
  return finish(std::move(message));
}

Notification parse_notification(std::span<const std::uint8_t> body) {
  Cursor cursor(body);
  Notification notification;
  notification.code = static_cast<ErrorCode>(cursor.number<std::uint8_t>().value_or(0));
  notification.subcode = cursor.number<std::uint8_t>().value_or(0);
  notification.data.assign(cursor.rest().begin(), cursor.rest().end());
  return notification;
}

}  // namespace hopwise::bgp
