// Binds probes to nexthops in the kernel: a mark leads to a table that holds one default route.
//
//   rule  PRIORITY      fwmark BASE+id          -> table BASE+id
//   table BASE+id       default via GATEWAY dev INTERFACE onlink
//   rule  PRIORITY + 1  fwmark BASE/0xffff0000 iif lo  -> unreachable
//
// SO_BINDTODEVICE would name an interface but no gateway, and several gateways may share one. The
// last rule is the guard: when a table is empty, as when its interface went down, its probes are
// refused; they never fall through to the main table and measure another path. It is for packets
// of this host alone ("iif lo"): where marks carry traffic too (dataplane::Actuator::mark), what is
// forwarded and finds no table takes the main table's route, and never a black hole.
//
// Rules and routes carry our own protocol number, by which the leftovers of a dead daemon are
// known.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/model/path.hpp"
#include "core/netlink/socket.hpp"
#include "probes/options.hpp"

namespace hopwise::probes {

/// rtm_protocol and FRA_PROTOCOL of all that hopwise puts into the kernel's routing.
inline constexpr std::uint8_t kRouteProtocol = 104;

class Binding {
 public:
  /// Clears what a dead daemon left. Where marks carry traffic, what that left of this
  /// configuration's stays in use until end_inheritance(): its programs may be marking still.
  static Result<std::unique_ptr<Binding>> open(const Options& options);
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;
  ~Binding();  // removes all that it put there, unless marks carry traffic

  /// Clears what was kept of a dead daemon's and has not been bound since.
  Result<> end_inheritance();

  /// Makes mark(nexthop.id) lead to the nexthop for packets of `family`. Again: puts back the
  /// route, which the kernel drops with the interface's state. After an error see holds().
  Result<> bind(const Nexthop& nexthop, Family family);
  void unbind(NexthopId id);
  /// Puts back, guard first, the rules that the kernel has no more; true when there were any.
  /// Routes are not looked at: without one the guard refuses the probe, and bind() is called again.
  Result<bool> restore();
  /// Whether a message of the kernel says that somebody else removed a rule of ours.
  [[nodiscard]] bool removed_by_other(const nlmsghdr& event) const;
  /// Whether packets with that mark leave by the nexthop or not at all.
  [[nodiscard]] bool holds(NexthopId id, Family family) const {
    return bound_.contains({id, family});
  }

  [[nodiscard]] std::uint32_t mark(NexthopId id) const { return mark_base_ + raw(id); }

 private:
  Binding(netlink::Socket socket, const Options& options);
  Result<> sweep_strays();
  [[nodiscard]] std::optional<std::pair<NexthopId, Family>> bound_by(const nlmsghdr& message) const;
  Result<> set_rule(const Nexthop& nexthop, Family family);

  netlink::Socket socket_;
  std::uint32_t mark_base_;
  std::uint32_t priority_;
  bool carries_traffic_;
  bool inherits_;  // no longer after end_inheritance()
  std::set<Family> guarded_;
  std::set<std::pair<NexthopId, Family>> bound_;      // those that have a rule
  std::set<std::pair<NexthopId, Family>> inherited_;  // those whose rule a dead daemon made
};

}  // namespace hopwise::probes
