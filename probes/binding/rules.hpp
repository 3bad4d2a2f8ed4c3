// The rules and routes that bind probes, as single steps: put one, drop one, know one again, sweep.
#pragma once

#include <linux/netlink.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/model/path.hpp"
#include "core/netlink/socket.hpp"

namespace hopwise::probes {

inline constexpr std::uint32_t kAllMarks = 0xffff0000;  // mask: whatever the nexthop
inline constexpr std::uint32_t kMainTablePriority = 32766;

/// `table` 0 makes it unreachable.
struct Rule {
  enum class For : std::uint8_t { all, this_host };  // this_host: not for what is forwarded

  std::uint32_t mark, mask, priority, table;
  For packets;

  static Rule nexthop(std::uint32_t mark, std::uint32_t priority) {
    return {mark, 0xffffffff, priority, mark, For::all};
  }
  static Rule stage(std::uint32_t mark_base, std::uint32_t priority) {
    return {mark_base, kAllMarks, priority + 1, mark_base, For::this_host};
  }
  static Rule guard(std::uint32_t mark_base, std::uint32_t priority) {
    return {mark_base, kAllMarks, priority + 2, 0, For::this_host};
  }
};

/// A rule that is there already, alike in everything, stays: the kernel walks over all of its IPv6
/// routes when one is removed.
Result<> put_rule(netlink::Socket& socket, Family family, const Rule& rule);
void drop_rule(netlink::Socket& socket, Family family, const Rule& rule);
/// Whether the kernel's `message` tells of that rule.
bool tells_of(const nlmsghdr& message, Family family, const Rule& rule);

/// Puts the only route, a default, into a table, or replaces it. A gateway may be of the other
/// family and need not be within a prefix of the interface. `what` is for the error.
Result<> put_route(netlink::Socket& socket, Family family, std::uint32_t table,
                   const NexthopKey& nexthop, const std::string& what);
void drop_route(netlink::Socket& socket, Family family, std::uint32_t table);

/// Which rules and routes of ours are to stay.
using Keep = std::function<bool(const nlmsghdr&)>;
/// Removes all others of our protocol number; a line for each.
Result<std::vector<std::string>> sweep(netlink::Socket& socket, const Keep& keep);

}  // namespace hopwise::probes
