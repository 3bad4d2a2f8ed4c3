#include "core/dataplane/routes.hpp"

#include <arpa/inet.h>

#include <bit>
#include <cstring>
#include <string>

namespace hopwise::dataplane {
namespace {

Address4 address4(const IpAddress& address) {
  Address4 bits = 0;
  std::memcpy(&bits, address.bytes.data(), sizeof(bits));
  return ntohl(bits);
}

Address6 address6(const IpAddress& address) {
  Address6 bits = 0;
  for (const std::uint8_t byte : address.bytes) bits = bits << 8 | byte;
  return bits;
}

// While default routes change too, addresses that only they cover are told apart: "none" would mean
// the old default before the store and the new one after it. A program that read "none" where a
// longer prefix has just come must have asked for the old default by then. Where that cannot be
// known, one packet may take the new default instead.
template <class WriteAll>
void write_around(std::uint16_t& installed, std::uint16_t wanted, const GracePeriod& wait,
                  const WriteAll& write_all) {
  if (installed != wanted) {
    write_all(wanted != HW_ROUTE_NONE ? wanted : HW_ROUTE_KERNEL);
    (void)wait();
    publish_word(installed, wanted);
  }
  write_all(HW_ROUTE_NONE);
}

}  // namespace

RouteMaps::RouteMaps(MappedArray<hw_slots4> routes4, MappedArray<hw_slots4> blocks4,
                     MappedArray<hw_slots6> routes6, MappedArray<hw_node6> nodes6)
    : routes4_(std::move(routes4)),
      blocks4_(std::move(blocks4)),
      routes6_(std::move(routes6)),
      nodes6_(std::move(nodes6)) {}

Result<RouteMaps> RouteMaps::map(const MapFds& fds) {
  auto routes4 = MappedArray<hw_slots4>::map(fds.routes4, HW_ROUTES4_ENTRIES, "hw_routes4");
  if (!routes4) return routes4.error();
  auto blocks4 =
      MappedArray<hw_slots4>::map(fds.blocks4, HW_MAX_BLOCKS4 * HW_BLOCK4_ENTRIES, "hw_blocks4");
  if (!blocks4) return blocks4.error();
  auto routes6 = MappedArray<hw_slots6>::map(fds.routes6, HW_ROUTES6_ENTRIES, "hw_routes6");
  if (!routes6) return routes6.error();
  auto nodes6 = MappedArray<hw_node6>::map(fds.nodes6, HW_MAX_NODES6, "hw_nodes6");
  if (!nodes6) return nodes6.error();
  return RouteMaps(std::move(*routes4), std::move(*blocks4), std::move(*routes6),
                   std::move(*nodes6));
}

RouteArrays RouteMaps::arrays(hw_router& router) const {
  return {routes4_.span(), blocks4_.span(), routes6_.span(), nodes6_.span(), router};
}

RouteTable::RouteTable(const RouteArrays& arrays, const GracePeriod& wait)
    : router_(arrays.router),
      wait_(wait),
      fib4_(arrays.routes4, arrays.blocks4, wait),
      fib6_(arrays.routes6, arrays.nodes6, wait),
      inherited_(router_.default4 != HW_ROUTE_NONE || router_.default6 != HW_ROUTE_NONE ||
                 !fib4_.empty() || !fib6_.empty()) {}

Result<> RouteTable::set(const Prefix& prefix, std::uint32_t group) {
  if (group == HW_ROUTE_NONE || group > HW_ROUTE_KERNEL)
    return Error{"install route " + prefix.text() + ": no group " + std::to_string(group)};
  const auto to = static_cast<std::uint16_t>(group);
  const bool changed = prefix.address.is_v4()
                           ? rib4_.set(address4(prefix.address), prefix.length, to)
                           : rib6_.set(address6(prefix.address), prefix.length, to);
  if (inherited_) return {};
  const std::size_t waited = waiting();
  if (changed) write(prefix);
  if (waiting() > waited || waits(prefix)) return no_room("install route " + prefix.text());
  return {};
}

Result<> RouteTable::remove(const Prefix& prefix) {
  const bool changed = prefix.address.is_v4()
                           ? rib4_.remove(address4(prefix.address), prefix.length)
                           : rib6_.remove(address6(prefix.address), prefix.length);
  if (inherited_ || !changed) return {};
  const std::size_t waited = waiting();
  write(prefix);
  if (waiting() > waited) return no_room("remove route " + prefix.text());
  return {};
}

void RouteTable::write(const Prefix& prefix) {
  const int length = prefix.length;
  if (prefix.address.is_v4()) {
    const Address4 address = address4(prefix.address);
    const auto* longest = rib4_.cover(address, {length == 0 ? 0 : 1, length});
    const std::uint16_t group = longest != nullptr ? longest->group : std::uint16_t{HW_ROUTE_NONE};
    if (length == 0) return publish_word(router_.default4, group);
    fib4_.write(rib4_, address, length, group);
  } else {
    const Address6 address = address6(prefix.address);
    if (length > 0) return fib6_.write(rib6_, address, length);
    const auto* longest = rib6_.cover(address, {0, 0});
    publish_word(router_.default6, longest != nullptr ? longest->group : HW_ROUTE_NONE);
  }
}

Result<> RouteTable::sweep() {
  if (!inherited_) return {};
  inherited_ = false;
  const auto* default4 = rib4_.cover(0, {0, 0});
  const auto* default6 = rib6_.cover(0, {0, 0});
  fib4_.adopt();
  fib6_.adopt();
  write_around(router_.default4,
               default4 != nullptr ? default4->group : std::uint16_t{HW_ROUTE_NONE}, wait_,
               [&](std::uint16_t uncovered) { fib4_.write_all(rib4_, uncovered); });
  write_around(router_.default6,
               default6 != nullptr ? default6->group : std::uint16_t{HW_ROUTE_NONE}, wait_,
               [&](std::uint16_t uncovered) { fib6_.write_all(rib6_, uncovered); });
  if (waiting() > 0) return no_room("install " + std::to_string(size()) + " routes");
  return {};
}

void RouteTable::retry(std::size_t work) {
  if (inherited_) return;
  fib4_.retry(rib4_, work);
  fib6_.retry(rib6_, work);
}

bool RouteTable::waits(const Prefix& prefix) const {
  return prefix.address.is_v4() ? fib4_.waits(address4(prefix.address), prefix.length)
                                : fib6_.waits(address6(prefix.address), prefix.length);
}

Error RouteTable::no_room(const std::string& what) const {
  const Use used = use();
  return Error{what + ": no room (" + std::to_string(used.blocks4) + " of " +
               std::to_string(HW_MAX_BLOCKS4 - 1) + " IPv4 /24s with longer prefixes, " +
               std::to_string(used.nodes6) + " of " + std::to_string(HW_MAX_NODES6 - 1) +
               " IPv6 nodes are in use; the kernel forwards what does not fit, until routing has "
               "fewer long prefixes)"};
}

std::uint16_t RouteTable::group_of(const IpAddress& destination) const {
  const bool v4 = destination.is_v4();
  const std::uint16_t group =
      v4 ? fib4_.lookup(address4(destination)) : fib6_.lookup(address6(destination));
  if (group != HW_ROUTE_NONE) return group;
  return read_word(v4 ? router_.default4 : router_.default6);
}

std::optional<RouteTable::Match> RouteTable::find(const IpAddress& destination) const {
  Match match{std::nullopt, group_of(destination)};
  if (match.group == HW_ROUTE_NONE) return std::nullopt;
  if (destination.is_v4()) {
    if (const auto* route = rib4_.cover(address4(destination), {0, 32}); route != nullptr)
      match.prefix = Prefix::covering(destination, route->length);
  } else if (const auto* route = rib6_.cover(address6(destination), {0, 128}); route != nullptr) {
    match.prefix = Prefix::covering(destination, route->length);
  }
  return match;
}

std::optional<RouteTable::Match> RouteTable::covering(const Prefix& prefix) const {
  const auto match = [&](const auto* node) -> std::optional<Match> {
    if (node == nullptr) return std::nullopt;
    return Match{Prefix::covering(prefix.address, node->length), node->group};
  };
  return prefix.address.is_v4() ? match(rib4_.cover(address4(prefix.address), {0, prefix.length}))
                                : match(rib6_.cover(address6(prefix.address), {0, prefix.length}));
}

void RouteTable::walk(const std::optional<Prefix>& after,
                      const std::function<bool(const Prefix&, std::uint32_t group)>& each) const {
  constexpr int kFromTheFirst = -1;
  bool on = true;
  const auto tell = [&](const auto& node) {
    return on = each({address_of(node.address), node.length}, node.group);
  };
  if (!after || after->address.is_v4())
    rib4_.walk(after ? address4(after->address) : 0, after ? after->length : kFromTheFirst, tell);
  if (!on) return;
  const bool in_v6 = after && !after->address.is_v4();
  rib6_.walk(in_v6 ? address6(after->address) : 0, in_v6 ? after->length : kFromTheFirst, tell);
}

RouteTable::Use RouteTable::use() const {
  return {fib4_.blocks().in_use(), fib6_.nodes().in_use(),
          rib4_.bytes() + rib6_.bytes() + fib4_.blocks().bytes() + fib6_.nodes().bytes()};
}

}  // namespace hopwise::dataplane
