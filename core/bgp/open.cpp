#include "core/bgp/open.hpp"

#include <optional>

namespace hopwise::bgp {
namespace {

constexpr std::uint8_t kVersion = 4, kCapabilitiesParameter = 2, kExtendedLength = 255;
constexpr std::uint16_t kLeastHold_s = 3;

Notification refuse(std::uint8_t subcode, std::vector<std::uint8_t> data = {}) {
  return {ErrorCode::open, subcode, std::move(data)};
}

/// The optional parameters. What does not fit is a subcode of zero: "Unspecific" (RFC 4271, 6.2).
std::optional<Notification> read_parameters(Cursor& cursor, Capabilities& into) {
  const auto length = cursor.number<std::uint8_t>();
  if (!length) return refuse(0);
  std::size_t total = *length;
  bool extended = false;
  if (total == kExtendedLength && !cursor.done() && cursor.rest()[0] == kExtendedLength) {
    extended = true;
    const auto type = cursor.number<std::uint8_t>();
    const auto longer = cursor.number<std::uint16_t>();
    if (!type || !longer) return refuse(0);
    total = *longer;
  }
  if (total != cursor.left()) return refuse(0);
  while (!cursor.done()) {
    const auto type = cursor.number<std::uint8_t>();
    std::optional<std::size_t> size;
    if (extended)
      size = cursor.number<std::uint16_t>();
    else
      size = cursor.number<std::uint8_t>();
    const auto value = size ? cursor.take(*size) : std::nullopt;
    if (!type || !value) return refuse(0);
    if (*type != kCapabilitiesParameter) return refuse(open_error::kBadParameter);
    if (!parse_capabilities(*value, into)) return refuse(0);
  }
  return std::nullopt;
}

}  // namespace

std::variant<Open, Notification> parse_open(Bytes body) {
  Cursor cursor(body);
  Open open;
  const auto version = cursor.number<std::uint8_t>();
  if (version && *version != kVersion) return refuse(open_error::kVersion, {0, kVersion});
  const auto as = cursor.number<std::uint16_t>();
  const auto hold = cursor.number<std::uint16_t>();
  const auto router_id = cursor.number<std::uint32_t>();
  if (!version || !as || !hold || !router_id) return refuse(0);
  if (auto bad = read_parameters(cursor, open.capabilities)) return std::move(*bad);
  open.as = open.capabilities.as.value_or(*as);
  open.hold_time_s = *hold;
  open.router_id = *router_id;
  if (open.as == 0) return refuse(open_error::kBadPeerAs);  // RFC 7607
  if (open.hold_time_s != 0 && open.hold_time_s < kLeastHold_s)
    return refuse(open_error::kHoldTime);
  if (open.router_id == 0) return refuse(open_error::kBadIdentifier);
  return open;
}

std::vector<std::uint8_t> build_open(const Open& open) {
  const auto capabilities = build_capabilities(open.capabilities);
  auto message = begin(MessageType::open);
  put(message, kVersion);
  put(message, open.as > 0xffff ? kAsTrans : static_cast<std::uint16_t>(open.as));
  put(message, open.hold_time_s);
  put(message, open.router_id);
  put(message, static_cast<std::uint8_t>(capabilities.empty() ? 0 : capabilities.size() + 2));
  if (!capabilities.empty()) {
    put(message, kCapabilitiesParameter);
    put(message, static_cast<std::uint8_t>(capabilities.size()));
  }
  message.insert(message.end(), capabilities.begin(), capabilities.end());
  return finish(std::move(message));
}

}  // namespace hopwise::bgp
