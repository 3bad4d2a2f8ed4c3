// The data plane's user side: loads the BPF programs, keeps their maps as wanted, reads counters.
//
// The maps are pinned, so that traffic goes on without the daemon and a new daemon takes over the
// old one's flows, buckets and ids. What could not be written is kept as wanted and retried by
// sync(). Not thread-safe: one thread owns it. Nothing here decides.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/model/decision.hpp"
#include "core/model/flow.hpp"
#include "core/model/passive.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/status.hpp"
#include "core/model/traffic_class.hpp"

namespace hopwise::dataplane {

/// Where the programs hook in: `automatic` is TCX where the kernel has it (6.6), else clsact.
enum class HookChoice : std::uint8_t { automatic, clsact };

/// How a packet is sent to its nexthop. `redirect`: at once, past the stack (no netfilter, no NAT).
/// `mark`: by a firewall mark, `mark_base` + the nexthop's id, for which rules and tables must be
/// there (probes::Binding makes them); the stack forwards. `automatic` is for the daemon to
/// resolve.
enum class Actuator : std::uint8_t { automatic, redirect, mark };

/// How flows keep their nexthop: as long as it is usable; until they pause; or not at all, with the
/// bucket deciding for each packet.
enum class Affinity : std::uint8_t { flow, flowlet, bucket };
const char* text(Affinity affinity);

/// Whether a group's weights are used. `dry_run`: its flows are left to routing, and measured like
/// the control group; those that marks bind to a nexthop stay there until they end.
enum class Use : std::uint8_t { steer, dry_run };

struct Options {
  /// Where maps, programs and links are pinned: a folder on a bpffs, made when missing, one for
  /// each network namespace ("" pins nothing: everything ends with the process).
  std::string pin_root = "/sys/fs/bpf/hopwise";
  Duration lease = std::chrono::seconds(5);
  /// At most this many buckets that carry traffic move per publish(); a path that is not usable
  /// loses all of its buckets at once regardless.
  std::uint32_t busy_moves = 64;
  /// A bucket unused for this long is idle, and moves first.
  Duration idle_after = std::chrono::milliseconds(500);
  HookChoice hook = HookChoice::automatic;
  Actuator actuator = Actuator::redirect;
  std::uint32_t mark_base = 0x68770000;
  bool measure = true;             // passive measurement of the traffic
  bool escape = true;              // a flow that gets no answer leaves its nexthop by itself
  bool hold_weights = false;       // true: weights are trusted also after the lease
  double control_share = 0;        // of flows: left to the kernel, measured all the same; 0..0.5
  double sample_share = 1.0 / 16;  // of flows that are measured with Affinity::bucket
  std::uint32_t new_flows_per_s = 100'000;  // a CPU; beyond, new flows get no entry
};

/// What an earlier daemon left in the maps: its ids stay valid, so that its flows keep their paths.
struct Adopted {
  std::vector<std::pair<NexthopId, NexthopKey>> nexthops;
  /// Without paths where the entries contradict each other: its number alone is known. The
  /// inherited routes lead to all of these until sweep_routes(); what is not taken up is to be
  /// removed then. One that was for a prefix has an empty one in its variant: which it was is not
  /// known any more.
  std::vector<Group> groups;
  /// Not empty: maps of this ABI were pinned but did not serve, for this reason, and new ones have
  /// taken their place. Flows, buckets and ids begin afresh.
  std::string set_aside{};
};

/// What an interface is to us. `lan` gets the steer program and `wan` gets observe, both at
/// ingress. `lan_return` gets observe at egress: instead of `wan` where NAT stands between them.
/// `local` gets the steer program of this host's own traffic, at egress. With clsact they have a
/// priority and handle of ours, and the qdisc is left alone.
enum class Role : std::uint8_t { lan, wan, lan_return, local };

/// What it takes to send to a nexthop past the kernel: the Ethernet addresses, its own and the
/// interface's, and the interface's MTU.
struct Link {
  std::array<std::uint8_t, 6> gateway{};
  std::array<std::uint8_t, 6> interface {};
  std::uint32_t mtu = 0;

  bool operator==(const Link&) const = default;
};

/// A flow has left a nexthop by itself.
struct Escape {
  TimePoint at;
  GroupId group{};
  NexthopId from{};
  NexthopId to{};
};

class Dataplane {
 public:
  /// Loads programs and maps, or takes over those pinned by an earlier daemon of the same ABI.
  /// Removes what daemons of network namespaces that are gone have left pinned.
  static Result<std::unique_ptr<Dataplane>> open(const Options& options);
  ~Dataplane();

  static Limits limits();

  [[nodiscard]] const Adopted& adopted() const;

  /// Makes the attachments exactly these: attaches what is missing, detaches what is not named.
  /// An interface that cannot be attached is reported and the rest goes on; one that has gone is
  /// passed over. Call it also with the same set, every few seconds: hooks and pins that somebody
  /// else removed are put back, and what failed is tried again.
  struct Attachment {
    std::uint32_t ifindex = 0;
    std::string interface;
    Role role = Role::lan;
  };
  std::vector<Error> attach(const std::vector<Attachment>& wanted);
  /// Those of attach() that the kernel has now.
  [[nodiscard]] std::vector<InterfaceStatus> attachments() const;

  Result<> set_nexthop(const Nexthop& nexthop);
  void set_nexthop_usable(NexthopId id, bool usable);
  /// Why it is not usable although link and neighbour are up; tells `hopwise verify` alone.
  void set_nexthop_held(NexthopId id, bool held);
  /// Lets the programs send by this alone, which spares the kernel's neighbour look-up and its
  /// check of the MTU; without, and once renew_lease() has not been called for a while, the kernel
  /// is asked.
  void set_nexthop_link(NexthopId id, std::optional<Link> link);
  void remove_nexthop(NexthopId id);

  /// `flowlet_gap` > 0, of Affinity::flowlet only. A new group has Affinity::flow.
  void set_affinity(GroupId id, Affinity affinity, Duration flowlet_gap);

  /// Puts packets into classes from the next one on; none: all are of class 0. What cannot be had
  /// leaves the rules as they are.
  Result<> set_classes(const std::vector<ClassRule>& rules);
  /// Whether it is by just these rules that packets are put into classes now.
  [[nodiscard]] bool has_classes(const std::vector<ClassRule>& rules) const;
  /// `serving[i]` carries what is of class i + 1 of the traffic to routes of this group, by a group
  /// over the same nexthops; at most Limits::classes. Classes beyond, and those whose group is not
  /// known, are this group's own.
  Result<> set_class_groups(GroupId id, std::span<const GroupId> serving);
  /// A new group has Use::steer.
  void set_use(GroupId id, Use use);

  /// A new group's buckets follow the kernel's weights until the first publish(); a candidate has
  /// none, and no flow may use it. One that is there already, also as an adopted one, stays as it
  /// is. Other paths or weights are another group.
  Result<> set_group(const Group& group);
  void remove_group(GroupId id);

  /// `group` empty: the route is known, and left to the kernel.
  Result<> set_route(const Prefix& prefix, std::optional<GroupId> group);
  Result<> remove_route(const Prefix& prefix);
  /// Once all that routing has is set. After a restart the programs use the old daemon's routes
  /// until then, and exactly those that are set from then on.
  Result<> sweep_routes();

  /// Makes a decision real: path flags at once, then the fewest bucket moves.
  void publish(const Decision& decision, TimePoint now);
  /// Retries what is wanted and not installed; bucket moves that were put off. Call it each tick.
  void sync(TimePoint now);
  /// Trusts the weights until now + Options::lease.
  void renew_lease(TimePoint now);
  /// The kernel's routes rule from the next packet on, until the lease is renewed.
  void end_lease();
  [[nodiscard]] TimePoint lease_expires() const;

  [[nodiscard]] DataplaneCounters counters() const;

  /// Readable when escapes wait. Counters tell of those that did not fit.
  [[nodiscard]] int escapes_fd() const;
  void take_escapes(const std::function<void(const Escape&)>& each);

  /// Passive round-trip times since the last call: of each path, and of each group's control flows.
  struct PassiveReadings {
    std::map<PathId, PassiveRtt> paths;
    std::map<GroupId, PassiveRtt> control;
  };
  PassiveReadings take_passive();

  /// Gives a new group the buckets of another one over the same nexthops, but for candidates that
  /// hold none: no flow that changes between the two finds another nexthop.
  void begin_like(GroupId id, GroupId like);

  /// The lasting flows' counts, a batch of some thousand at a time, with any pauses between; no
  /// entry counts as used by it. False at the end of the table, and after an error: then it begins
  /// anew. A flow that has not proved to be alive yet is not among them.
  Result<bool> read_flow_counts(const std::function<void(const FlowCount&)>& each);

  /// The longest of the routes that are set that covers the prefix; of an address: as a prefix of
  /// full length.
  struct Match {
    Prefix route;
    std::optional<GroupId> group;  // empty: it is left to the kernel
  };
  [[nodiscard]] std::optional<Match> route_covering(const Prefix& prefix) const;
  /// The group that the programs find for this destination, an earlier daemon's until
  /// sweep_routes(); nothing where they leave it to the kernel.
  [[nodiscard]] std::optional<GroupId> group_towards(const IpAddress& destination) const;
  /// The routes that are set, in order of family, address and length, behind `after` (without it
  /// from the first on), until `each` returns false. Nothing is set or removed meanwhile.
  void walk_routes(const std::optional<Prefix>& after,
                   const std::function<bool(const Match&)>& each) const;

  /// Buckets that each of the group's paths holds now, in the group's order.
  [[nodiscard]] std::vector<std::uint32_t> buckets(GroupId id) const;
  /// What the programs would do with the next packet of this flow.
  [[nodiscard]] FlowPlacement place(const FlowTuple& flow, TimePoint now) const;

 private:
  struct Impl;  // keeps libbpf and the ABI out of this header
  explicit Dataplane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Which flows to read: those that match every field that is given.
struct FlowFilter {
  std::optional<Prefix> source;
  std::optional<Prefix> destination;
  std::optional<std::uint8_t> protocol;  // ICMP's number means that of both families
  std::optional<std::uint16_t> port;     // either end's; an echo's identifier
  std::optional<NexthopId> nexthop;
  std::optional<GroupId> group;
  Duration idle_below = Duration::max();
};
/// Reads the flow table pinned below `pin_root` for this network namespace, by batches: no entry
/// counts as used by it, and no daemon is asked. `each` is called once for every flow that matches.
Result<> read_flows(const std::string& pin_root, const FlowFilter& filter, TimePoint now,
                    const std::function<void(const FlowRecord&)>& each);

/// Removes every attachment, pin and map that hopwise ever left in this network namespace, also
/// after a crash. Returns a line for each thing removed. What cannot be removed does not keep the
/// rest: the first such error is returned at the end, followed by what was removed.
Result<std::vector<std::string>> detach_all(const std::string& pin_root);

}  // namespace hopwise::dataplane
