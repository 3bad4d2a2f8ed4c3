#include "core/bgp/wire.hpp"

#include <algorithm>

namespace hopwise::bgp {
namespace {

/// RFC 4271, sections 4.2 to 4.5, and RFC 2918.
struct Lengths {
  std::size_t least, most;
};

std::optional<Lengths> lengths(std::uint8_t type) {
  switch (static_cast<MessageType>(type)) {
    case MessageType::open:
      return Lengths{29, kMaxMessageBytes};
    case MessageType::update:
      return Lengths{23, kMaxMessageBytes};
    case MessageType::notification:
      return Lengths{21, kMaxMessageBytes};
    case MessageType::keepalive:
      return Lengths{kHeaderBytes, kHeaderBytes};
    case MessageType::route_refresh:
      return Lengths{23, kMaxMessageBytes};  // longer ones carry filters (RFC 5291)
  }
  return std::nullopt;
}

}  // namespace

std::optional<Family> family_of(std::uint16_t afi, std::uint8_t safi) {
  if (safi != kUnicast) return std::nullopt;
  if (afi == 1) return Family::v4;
  if (afi == 2) return Family::v6;
  return std::nullopt;
}

std::variant<Header, Notification> parse_header(Bytes header) {
  Cursor cursor(header);
  const auto marker = cursor.take(16);
  const auto length = cursor.number<std::uint16_t>();
  const auto type = cursor.number<std::uint8_t>();
  if (!marker || !length || !type)
    return Notification{ErrorCode::message_header, header_error::kBadLength, {}};
  if (std::any_of(marker->begin(), marker->end(), [](std::uint8_t byte) { return byte != 0xff; }))
    return Notification{ErrorCode::message_header, header_error::kNotSynchronized, {}};
  const auto allowed = lengths(*type);
  std::vector<std::uint8_t> wrong;
  if (!allowed) {
    put(wrong, *type);
    return Notification{ErrorCode::message_header, header_error::kBadType, std::move(wrong)};
  }
  if (*length < allowed->least || *length > allowed->most) {
    put(wrong, *length);
    return Notification{ErrorCode::message_header, header_error::kBadLength, std::move(wrong)};
  }
  return Header{static_cast<MessageType>(*type), *length};
}

std::vector<std::uint8_t> begin(MessageType type) {
  std::vector<std::uint8_t> message(16, 0xff);
  put(message, std::uint16_t{0});
  put(message, static_cast<std::uint8_t>(type));
  return message;
}

std::vector<std::uint8_t> finish(std::vector<std::uint8_t> message) {
  message[16] = static_cast<std::uint8_t>(message.size() >> 8U);
  message[17] = static_cast<std::uint8_t>(message.size());
  return message;
}

std::vector<std::uint8_t> build_keepalive() {
  return finish(begin(MessageType::keepalive));
}

std::vector<std::uint8_t> build_route_refresh(Family family) {
  auto message = begin(MessageType::route_refresh);
  put(message, afi(family));
  put(message, std::uint8_t{0});
  put(message, kUnicast);
  return finish(std::move(message));
}

}  // namespace hopwise::bgp
