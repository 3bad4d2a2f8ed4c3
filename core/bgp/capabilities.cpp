#include "core/bgp/capabilities.hpp"

#include <initializer_list>

namespace hopwise::bgp {
namespace {

constexpr std::uint8_t kMultiprotocol = 1, kRouteRefresh = 2, kExtendedNexthop = 5,
                       kExtendedMessage = 6, kGracefulRestart = 64, kAs4 = 65, kAddPath = 69;

void read_multiprotocol(Cursor value, Capabilities& into) {
  const auto afi = value.number<std::uint16_t>();
  const auto reserved = value.number<std::uint8_t>();
  const auto safi = value.number<std::uint8_t>();
  if (!afi || !reserved || !safi || !value.done()) return;
  into.multiprotocol = true;
  if (const auto family = family_of(*afi, *safi)) into.unicast[*family] = true;
}

void read_extended_nexthop(Cursor value, Capabilities& into) {
  while (value.left() >= 6) {
    const auto afi = *value.number<std::uint16_t>();
    const auto safi = *value.number<std::uint16_t>();
    const auto nexthop_afi = *value.number<std::uint16_t>();
    if (afi == 1 && safi == kUnicast && nexthop_afi == 2) into.extended_nexthop = true;
  }
}

void read_add_path(Cursor value, Capabilities& into) {
  while (value.left() >= 4) {
    const auto afi = *value.number<std::uint16_t>();
    const auto safi = *value.number<std::uint8_t>();
    const auto mode = *value.number<std::uint8_t>();
    const auto family = family_of(afi, safi);
    if (!family || mode == 0 || mode > 3) continue;  // others are ignored (RFC 7911, section 4)
    into.add_path[*family] = {(mode & 1U) != 0, (mode & 2U) != 0};
  }
}

void read(std::uint8_t code, Bytes bytes, Capabilities& into) {
  Cursor value(bytes);
  switch (code) {
    case kMultiprotocol:
      return read_multiprotocol(value, into);
    case kRouteRefresh:
      into.route_refresh = true;
      return;
    case kExtendedNexthop:
      return read_extended_nexthop(value, into);
    case kExtendedMessage:
      into.extended_message = true;
      return;
    case kGracefulRestart:
      into.graceful_restart = true;
      return;
    case kAs4:
      if (value.left() == 4) into.as = value.number<std::uint32_t>();
      return;
    case kAddPath:
      return read_add_path(value, into);
    default:
      return;
  }
}

class Writer {
 public:
  void capability(std::uint8_t code, const std::vector<std::uint8_t>& value) {
    put(bytes, code);
    put(bytes, static_cast<std::uint8_t>(value.size()));
    bytes.insert(bytes.end(), value.begin(), value.end());
  }

  std::vector<std::uint8_t> bytes;
};

}  // namespace

bool parse_capabilities(Bytes tlvs, Capabilities& into) {
  Cursor cursor(tlvs);
  while (!cursor.done()) {
    const auto code = cursor.number<std::uint8_t>();
    const auto length = cursor.number<std::uint8_t>();
    if (!code || !length) return false;
    const auto value = cursor.take(*length);
    if (!value) return false;
    read(*code, *value, into);
  }
  return true;
}

std::vector<std::uint8_t> build_capabilities(const Capabilities& c) {
  Writer writer;
  std::vector<std::uint8_t> add_path;
  for (const Family family : {Family::v4, Family::v6}) {
    const auto number = static_cast<std::uint8_t>(afi(family));
    if (c.unicast[family]) writer.capability(kMultiprotocol, {0, number, 0, kUnicast});
    const auto mode = static_cast<std::uint8_t>((c.add_path[family].receive ? 1 : 0) +
                                                (c.add_path[family].send ? 2 : 0));
    if (mode != 0) add_path.insert(add_path.end(), {0, number, kUnicast, mode});
  }
  if (c.route_refresh) writer.capability(kRouteRefresh, {});
  if (c.extended_nexthop) writer.capability(kExtendedNexthop, {0, 1, 0, kUnicast, 0, 2});
  if (c.extended_message) writer.capability(kExtendedMessage, {});
  if (c.graceful_restart) writer.capability(kGracefulRestart, {0, 0});
  if (c.as) {
    std::vector<std::uint8_t> as;
    put(as, *c.as);
    writer.capability(kAs4, as);
  }
  if (!add_path.empty()) writer.capability(kAddPath, add_path);
  return std::move(writer.bytes);
}

}  // namespace hopwise::bgp
