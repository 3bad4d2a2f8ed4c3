#include "core/bgp/intake.hpp"

#include <algorithm>

namespace hopwise::bgp {
namespace {

bool is_loopback(const IpAddress& a) {
  if (a.is_v4()) return a.bytes[0] == 127;
  return a.bytes[15] == 1 && std::all_of(a.bytes.begin(), a.bytes.end() - 1,
                                         [](std::uint8_t byte) { return byte == 0; });
}

/// Multicast, and what lies above it.
bool is_group(const IpAddress& a) {
  return a.is_v4() ? a.bytes[0] >= 224 : a.bytes[0] == 0xff;
}

/// ::ffff:0:0/96, which no packet carries.
bool is_v4_mapped(const IpAddress& a) {
  return !a.is_v4() &&
         std::all_of(a.bytes.begin(), a.bytes.begin() + 10, [](auto byte) { return byte == 0; }) &&
         a.bytes[10] == 0xff && a.bytes[11] == 0xff;
}

bool cannot_be_nexthop(const IpAddress& a) {
  const bool this_network = a.is_v4() && a.bytes[0] == 0;
  return a.is_unspecified() || this_network || is_loopback(a) || is_group(a) || is_v4_mapped(a);
}

void refuse(Taken& taken, Refusal why, std::size_t count) {
  taken.refused[static_cast<std::size_t>(why)] += static_cast<std::uint32_t>(count);
}

/// All in one go where no prefix is a martian: nearly always.
void take(const Announcement& said, SourceId source, PathTable& table, Taken& taken) {
  const auto martian = [](const Nlri& nlri) { return is_martian(nlri.prefix); };
  if (std::none_of(said.nlri.begin(), said.nlri.end(), martian))
    return refuse(taken, Refusal::too_many_paths, table.announce(source, said.path, said.nlri));
  std::vector<Nlri> good, bad;
  std::partition_copy(said.nlri.begin(), said.nlri.end(), std::back_inserter(bad),
                      std::back_inserter(good), martian);
  refuse(taken, Refusal::martian, bad.size());
  refuse(taken, Refusal::too_many_paths, table.announce(source, said.path, good));
}

}  // namespace

std::string_view text(Refusal refusal) {
  constexpr std::array<std::string_view, kRefusals> kNames{
      "own_as", "nexthop_invalid", "nexthop_ourselves", "martian", "too_many_paths"};
  return kNames[static_cast<std::size_t>(refusal)];
}

bool is_martian(const Prefix& prefix) {
  if (prefix.length == 0) return false;
  const auto& b = prefix.address.bytes;
  if (prefix.address.is_v4()) {
    const bool link_local = b[0] == 169 && b[1] == 254 && prefix.length >= 16;
    return b[0] == 127 || b[0] >= 224 || link_local || (b[0] == 0 && prefix.length >= 8);
  }
  const bool link_local = b[0] == 0xfe && (b[1] & 0xc0U) == 0x80 && prefix.length >= 10;
  // ::/8 holds the unspecified address, loopback and addresses with IPv4 in them.
  return b[0] == 0xff || link_local || (b[0] == 0 && prefix.length >= 8 && b[1] != 0x64);
}

std::optional<Refusal> refusal_of(const BgpPath& path, const Terms& terms) {
  if (cannot_be_nexthop(path.nexthop)) return Refusal::nexthop_invalid;
  const auto& own = terms.own_addresses;
  if (std::find(own.begin(), own.end(), path.nexthop) != own.end())
    return Refusal::nexthop_ourselves;
  if (std::find(path.as_path.begin(), path.as_path.end(), terms.own_as) != path.as_path.end())
    return Refusal::own_as;
  return std::nullopt;
}

Taken take(const Update& update, const Terms& terms, SourceId source, PathTable& table) {
  Taken taken;
  table.withdraw(source, update.withdrawn);
  for (const Announcement& said : update.announced) {
    if (const auto why = refusal_of(said.path, terms)) {
      refuse(taken, *why, said.nlri.size());
      table.withdraw(source, said.nlri);
    } else {
      take(said, source, table, taken);
    }
  }
  return taken;
}

}  // namespace hopwise::bgp
