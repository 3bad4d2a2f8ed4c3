// The arrays of bpf/abi.h that the daemon writes, as memory: a store here is what the programs read
// next. Small tables of plain structs; who publishes what in which order is told in tables.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "bpf/abi.h"
#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/grace_period.hpp"
#include "core/dataplane/mapped_array.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/status.hpp"

namespace hopwise::dataplane {

/// The maps of one loaded object; the descriptors belong to it.
struct MapFds {
  int router, routes4, blocks4, routes6, nodes6, groups, classes, buckets, paths, nexthops;
  int flows, embryos, traffic, rtt, reasons, counts, events;
};

class Tables {
 public:
  /// `wait`: before what programs may be reading is written anew.
  static Result<Tables> map(const MapFds& fds, GracePeriod wait);

  /// A nexthop's entry; its flags survive only when the entry was the same already.
  void set_nexthop(std::uint32_t id, const NexthopKey& key, std::uint32_t mark);
  void set_nexthop_usable(std::uint32_t id, bool usable);
  void set_nexthop_held(std::uint32_t id, bool held);
  /// No program ever uses half of the old addresses and half of the new ones. Addresses that
  /// replace others wait for the programs that run now, some milliseconds.
  void set_nexthop_link(std::uint32_t id, const std::optional<Link>& link);
  void remove_nexthop(std::uint32_t id);
  [[nodiscard]] std::optional<NexthopKey> nexthop(std::uint32_t id) const;

  /// Of a new group: writes its paths first, usable and with fresh counters, then the group itself.
  void set_paths(const Group& group);
  void set_path_usable(std::uint32_t id, bool usable);
  [[nodiscard]] bool path_flagged_usable(std::uint32_t id) const;
  void set_affinity(std::uint32_t group, Affinity affinity, std::uint16_t flowlet_gap_ms);
  [[nodiscard]] Affinity affinity(std::uint32_t group) const;
  /// `serving[i]` serves class i + 1 of the group's traffic; classes beyond: the group itself.
  void set_class_groups(std::uint32_t group, std::span<const GroupId> serving);
  void set_use(std::uint32_t group, Use use);
  /// After nothing names them any more.
  void remove_path(std::uint32_t id);
  void remove_group(std::uint32_t id);
  /// The group as its entry and its paths' entries tell it; without paths where they contradict
  /// each other.
  [[nodiscard]] std::optional<Group> group(std::uint32_t id) const;

  /// No packet is classified by half of the old rules and half of the new ones. At most
  /// HW_MAX_CLASS_RULES.
  [[nodiscard]] bool has_class_rules(std::span<const hw_class_rule> rules) const;
  Result<> set_class_rules(std::span<const hw_class_rule> rules);
  /// Those in use.
  [[nodiscard]] std::span<const hw_class_rule> class_rules() const;

  /// The HW_BUCKETS entries of a group.
  [[nodiscard]] std::span<hw_bucket> buckets(std::uint32_t group) const;

  /// What the programs would find usable for a packet of this family.
  [[nodiscard]] bool path_usable(std::uint32_t group, std::uint32_t path, Family family) const;
  [[nodiscard]] std::uint32_t nexthop_of(std::uint32_t path) const;
  /// The flow's entry, lasting or embryonic. Asking does not count as use.
  [[nodiscard]] std::optional<hw_flow> flow(const hw_flow_key& key) const;

  /// By batches, of those entries only that are in use.
  [[nodiscard]] DataplaneCounters counters() const;

  hw_router& router() { return router_[0]; }
  [[nodiscard]] const hw_router& router() const { return router_[0]; }
  [[nodiscard]] const hw_group& group_entry(std::uint32_t id) const { return groups_[id]; }
  [[nodiscard]] const MapFds& fds() const { return fds_; }

 private:
  Tables(const MapFds& fds, GracePeriod wait, MappedArray<hw_router> router,
         MappedArray<hw_group> groups, MappedArray<hw_class_rules> classes,
         MappedArray<hw_bucket> buckets, MappedArray<hw_path> paths,
         MappedArray<hw_nexthop> nexthops);

  MapFds fds_;
  GracePeriod wait_;
  MappedArray<hw_router> router_;
  MappedArray<hw_group> groups_;
  MappedArray<hw_class_rules> classes_;
  MappedArray<hw_bucket> buckets_;
  MappedArray<hw_path> paths_;
  MappedArray<hw_nexthop> nexthops_;
};

}  // namespace hopwise::dataplane
