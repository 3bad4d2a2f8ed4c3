#include "core/bgp/bmp.hpp"

#include <algorithm>

namespace hopwise::bgp::bmp {
namespace {

constexpr std::uint8_t kVersion = 3;

constexpr std::uint8_t kLocRibInstance = 3;  // a peer type of RFC 9069
constexpr std::uint8_t kIpv6 = 0x80, kPostPolicy = 0x40, kTwoOctets = 0x20, kRibOut = 0x10;

constexpr std::uint16_t kSystemDescription = 1, kSystemName = 2;
constexpr std::size_t kMaxText = 255;

// An IPv4 address stands in the last four of sixteen bytes.
std::optional<IpAddress> take_address(Cursor& cursor, Family family) {
  const auto bytes = cursor.take(16);
  if (!bytes) return std::nullopt;
  return IpAddress::from_bytes(family, bytes->data() + (family == Family::v4 ? 12 : 0));
}

// A whole BGP message of that type: what follows its header.
std::optional<Bytes> take_message(Cursor& cursor, bgp::MessageType type) {
  const auto bytes = cursor.take(bgp::kHeaderBytes);
  if (!bytes) return std::nullopt;
  const auto parsed = bgp::parse_header(*bytes);
  const auto* header = std::get_if<bgp::Header>(&parsed);
  if (header == nullptr || header->type != type) return std::nullopt;
  return cursor.take(header->length - bgp::kHeaderBytes);
}

std::optional<Open> take_open(Cursor& cursor) {
  const auto body = take_message(cursor, bgp::MessageType::open);
  if (!body) return std::nullopt;
  const auto parsed = parse_open(*body);
  const auto* open = std::get_if<Open>(&parsed);
  if (open == nullptr) return std::nullopt;
  return *open;
}

View view_of(std::uint8_t type, std::uint8_t flags) {
  if (type == kLocRibInstance) return View::loc_rib;
  if (flags & kRibOut) return View::rib_out;
  return flags & kPostPolicy ? View::post_policy : View::pre_policy;
}

std::string printable(Bytes bytes) {
  std::string text(bytes.begin(),
                   bytes.begin() + static_cast<std::ptrdiff_t>(std::min(bytes.size(), kMaxText)));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

}  // namespace

std::optional<Header> parse_header(Bytes header) {
  Cursor cursor(header);
  const auto version = cursor.number<std::uint8_t>();
  const auto length = cursor.number<std::uint32_t>();
  const auto type = cursor.number<std::uint8_t>();
  if (!type || version != kVersion || *length < kHeaderBytes || *length > kMaxMessageBytes)
    return std::nullopt;
  return Header{*type, *length};
}

std::optional<Peer> take_peer(Cursor& cursor) {
  const auto type = cursor.number<std::uint8_t>();
  const auto flags = cursor.number<std::uint8_t>();
  const auto distinguisher = cursor.number<std::uint64_t>();
  if (!distinguisher) return std::nullopt;
  const auto address = take_address(cursor, *flags & kIpv6 ? Family::v6 : Family::v4);
  const auto as = cursor.number<std::uint32_t>();
  // Its BGP identifier, and the time.
  if (!address || !as || !cursor.take(4 + 8)) return std::nullopt;
  return Peer{.id = {*type, *distinguisher, *address},
              .view = view_of(*type, *flags),
              .asn = *flags & kTwoOctets ? AsnWidth::two : AsnWidth::four,
              .as = *as};
}

std::optional<PeerUp> parse_peer_up(Cursor cursor, Family family) {
  const auto own = take_address(cursor, family);
  if (!own || !cursor.take(2 + 2)) return std::nullopt;  // the ports
  const auto sent = take_open(cursor);
  const auto received = sent ? take_open(cursor) : std::nullopt;
  if (!received) return std::nullopt;
  return PeerUp{*own, *sent, *received};
}

std::optional<Bytes> parse_route_monitoring(Cursor cursor) {
  return take_message(cursor, bgp::MessageType::update);
}

Initiation parse_initiation(Cursor cursor) {
  Initiation said;
  while (true) {
    const auto type = cursor.number<std::uint16_t>();
    const auto length = cursor.number<std::uint16_t>();
    const auto value = length ? cursor.take(*length) : std::nullopt;
    if (!value) return said;
    if (*type == kSystemDescription) said.system_description = printable(*value);
    if (*type == kSystemName) said.system_name = printable(*value);
  }
}

std::string_view text_of_type(std::uint8_t type) {
  constexpr std::array<std::string_view, 7> kNames{
      "route_monitoring", "statistics_report", "peer_down",      "peer_up",
      "initiation",       "termination",       "route_mirroring"};
  return type < kNames.size() ? kNames[type] : "unknown";
}

}  // namespace hopwise::bgp::bmp
