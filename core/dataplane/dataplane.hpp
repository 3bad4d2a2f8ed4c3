// The data plane's user side: loads the BPF programs, keeps their maps as wanted, reads counters.
//
// The maps are pinned, so that traffic goes on without the daemon and a new daemon takes over the
// old one's flows, buckets and ids. What could not be written is kept as wanted and retried by
// sync(). Not thread-safe: one thread owns it. Nothing here decides.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/model/decision.hpp"
#include "core/model/flow.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/status.hpp"

namespace hopwise::dataplane {

/// Where the programs hook in: `automatic` is TCX where the kernel has it (6.6), else clsact.
enum class HookChoice : std::uint8_t { automatic, clsact };

struct Options {
  /// Where maps, programs and links are pinned: a folder on a bpffs, made when missing, one for
  /// each network namespace ("" pins nothing: everything ends with the process).
  std::string pin_root = "/sys/fs/bpf/hopwise";
  Duration lease = std::chrono::seconds(5);
  /// At most this many buckets that carry traffic move per publish(); a path that is not usable
  /// loses all of its buckets at once regardless.
  std::uint32_t busy_moves = 1024;
  /// A bucket unused for this long is idle, and moves first.
  Duration idle_after = std::chrono::milliseconds(500);
  HookChoice hook = HookChoice::automatic;
};

/// What an earlier daemon left in the maps: its ids stay valid, so that its flows keep their paths.
struct Adopted {
  std::vector<std::pair<NexthopId, NexthopKey>> nexthops;
  std::vector<Group> groups;  // kernel_weight is not kept: 1
};

/// What an interface is to us: `lan` gets the steer program, `wan` gets observe, both at ingress.
/// With clsact they have a priority and handle of ours, and the qdisc is left alone.
enum class Role : std::uint8_t { lan, wan };

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
  void remove_nexthop(NexthopId id);

  /// A new group's buckets follow the kernel's weights until the first publish(); an adopted
  /// group's buckets stay as they are.
  Result<> set_group(const Group& group);
  void remove_group(GroupId id);

  /// `group` empty: the route is known, and left to the kernel.
  Result<> set_route(const Prefix& prefix, std::optional<GroupId> group);
  Result<> remove_route(const Prefix& prefix);
  /// Removes every installed route that `keep` does not accept: after a restart, what the old
  /// daemon knew and the new one does not.
  Result<> sweep_routes(const std::function<bool(const Prefix&)>& keep);

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
  /// Buckets that each of the group's paths holds now, in the group's order.
  [[nodiscard]] std::vector<std::uint32_t> buckets(GroupId id) const;
  /// What the programs would do with the next packet of this flow.
  [[nodiscard]] FlowPlacement place(const FlowTuple& flow, TimePoint now) const;

 private:
  struct Impl;  // keeps libbpf and the ABI out of this header
  explicit Dataplane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Removes every attachment, pin and map that hopwise ever left in this network namespace, also
/// after a crash. Returns a line for each thing removed. What cannot be removed does not keep the
/// rest: the first such error is returned at the end, followed by what was removed.
Result<std::vector<std::string>> detach_all(const std::string& pin_root);

}  // namespace hopwise::dataplane
