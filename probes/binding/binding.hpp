// Binds probes to nexthops in the kernel: a mark leads to a table that holds one default route.
//
//   rule  PRIORITY      fwmark BASE+id          -> table BASE+id
//   table BASE+id       default via GATEWAY dev INTERFACE onlink
//   rule  PRIORITY + 2  fwmark BASE/0xffff0000 iif lo  -> unreachable
//
// Every rule is walked past by every look-up of a route. From Options::stage_from nexthops on, one
// rule does for all of them; it leads to the staging device, whose program sends each probe on by
// its mark (staging.hpp):
//
//   rule  PRIORITY + 1  fwmark BASE/0xffff0000 iif lo  -> table BASE
//   table BASE          default dev STAGING
//
// Below three quarters of that number the nexthops have their own rules again. What is new stands
// before what is old goes, so a packet meets one or the other, and never neither. Where the device
// cannot be made, or marks carry forwarded traffic, rules stay.
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

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/model/path.hpp"
#include "core/netlink/socket.hpp"
#include "probes/binding/source.hpp"
#include "probes/binding/staging.hpp"
#include "probes/options.hpp"

namespace hopwise::probes {

/// rtm_protocol and FRA_PROTOCOL of all that hopwise puts into the kernel's routing.
inline constexpr std::uint8_t kRouteProtocol = 104;

class Binding {
 public:
  /// Clears what a dead daemon left. Where marks carry traffic, what that left of this
  /// configuration's stays in use until end_inheritance(): its programs may be marking still.
  static Result<std::unique_ptr<Binding>> open(const Options& options, Staging staging = {});
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;
  ~Binding();  // removes all that it put there, unless marks carry traffic

  /// Clears what was kept of a dead daemon's and has not been bound since.
  Result<> end_inheritance();

  /// From the next bind() on the nexthop has a rule of its own for IPv6 also while it is staged: a
  /// link-local anchor is reached by the interface that it is named with, and by no other.
  void keep_rule(NexthopId id) { keeps_rule_.insert(id); }
  /// Makes mark(nexthop.id) lead to the nexthop for packets of `family`. Again: puts back the
  /// route, which the kernel drops with the interface's state, or the staging device. After an
  /// error see holds(). May change the way of all that are bound: probes that are out are right.
  Result<> bind(const Nexthop& nexthop, Family family);
  void unbind(NexthopId id);
  /// Puts back, guard first, the rules that the kernel has no more; true when there were any. Tries
  /// the staging device again where it failed, and puts it back where it is gone. Other routes are
  /// not looked at: without one the guard refuses the probe, and bind() is called again.
  Result<bool> restore();
  /// Whether a message of the kernel says that somebody else removed a rule of ours.
  [[nodiscard]] bool removed_by_other(const nlmsghdr& event) const;
  /// A message of the kernel about addresses or links, for source(); others are passed over.
  void heard(const nlmsghdr& event) { sources_.heard(event); }
  /// The kernel dropped such messages.
  void missed_events() { sources_.forget_all(); }
  /// Whether packets with that mark leave by the nexthop or not at all.
  [[nodiscard]] bool holds(NexthopId id, Family family) const;

  /// The source address of probes to `destination`: the one that the kernel takes for a packet that
  /// leaves by the nexthop. Every probe names it: by the staging device the kernel cannot know it,
  /// and TCP's checksum covers it. Nothing: there is none now (no address, interface down), and the
  /// probe is unsent. The nexthop must be bound. Cheap while nothing changes; see also
  /// source_changes().
  [[nodiscard]] std::optional<IpAddress> source(const Nexthop& nexthop,
                                                const IpAddress& destination);
  /// Grows whenever an answer of source() may have become another: who keeps answers asks again.
  [[nodiscard]] std::uint64_t source_changes() const { return sources_.changes(); }

  [[nodiscard]] std::uint32_t mark(NexthopId id) const { return mark_base_ + raw(id); }
  /// Whether the staging device binds, not a rule each.
  [[nodiscard]] bool staged() const { return stage_.has_value(); }
  /// Staging::counts.
  [[nodiscard]] std::map<std::string, std::uint64_t> staged_packets() const {
    return staging_.counts ? staging_.counts() : std::map<std::string, std::uint64_t>{};
  }

 private:
  struct Bound {
    Nexthop nexthop;
    std::set<Family> families;
  };
  struct Stage {
    std::uint32_t ifindex = 0;
    std::set<Family> families;  // those that have the rule
  };

  Binding(netlink::Socket socket, const Options& options, Staging staging);
  Result<> sweep_strays();
  [[nodiscard]] std::optional<std::pair<NexthopId, Family>> bound_by(const nlmsghdr& message) const;
  [[nodiscard]] bool is_to_stay(const nlmsghdr& message);
  Result<> set_guard(Family family);
  Result<> set_rule(const Nexthop& nexthop, Family family);
  Result<> set_route(const Nexthop& nexthop, Family family);
  void drop_own(NexthopId id, Family family);
  [[nodiscard]] bool has_own(NexthopId id, Family family) const;
  Result<> bind_by_rule(const Nexthop& nexthop, Family family);
  void remember(const Nexthop& nexthop, Family family);

  void settle();
  Result<> to_stage();
  Result<> to_rules();
  Result<> bind_staged(const Nexthop& nexthop, Family family);
  Result<> keep_stage();
  Result<> lay(Stage& stage, Family family);
  Result<> restore_stage();
  void strike();
  Result<IpAddress> ask_source(const Nexthop& nexthop, const IpAddress& destination);

  netlink::Socket socket_;
  std::uint32_t mark_base_;
  std::uint32_t priority_;
  std::size_t stage_from_;
  bool carries_traffic_;
  bool inherits_;  // no longer after end_inheritance()
  Staging staging_;
  bool stage_failed_ = false;   // not tried again before restore()
  std::optional<Stage> stage_;  // while it binds
  std::set<NexthopId> keeps_rule_;
  std::set<Family> guarded_;
  std::map<NexthopId, Bound> bound_;                  // those that have a rule, or are staged
  std::set<std::pair<NexthopId, Family>> inherited_;  // those whose rule a dead daemon made
  Sources sources_;
};

}  // namespace hopwise::probes
