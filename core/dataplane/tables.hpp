// The arrays of bpf/abi.h that the daemon writes, as memory: a store here is what the programs read
// next. Small tables of plain structs; who publishes what in which order is told in tables.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "bpf/abi.h"
#include "core/dataplane/mapped_array.hpp"
#include "core/model/path.hpp"
#include "core/model/result.hpp"
#include "core/model/status.hpp"

namespace hopwise::dataplane {

/// The maps of one loaded object; the descriptors belong to it.
struct MapFds {
  int router, routes4, blocks4, routes6, nodes6, groups, buckets, paths, nexthops;
  int flows, embryos, traffic, rtt, reasons, counts, events;
};

class Tables {
 public:
  static Result<Tables> map(const MapFds& fds);

  /// A nexthop's entry; its usable flag survives only when the entry was the same already.
  void set_nexthop(std::uint32_t id, const NexthopKey& key);
  void set_nexthop_usable(std::uint32_t id, bool usable);
  void remove_nexthop(std::uint32_t id);
  [[nodiscard]] std::optional<NexthopKey> nexthop(std::uint32_t id) const;

  /// Writes paths first, then the group that names them. New paths are usable, with fresh counters.
  void set_paths(const Group& group);
  void set_path_usable(std::uint32_t id, bool usable);
  [[nodiscard]] bool path_flagged_usable(std::uint32_t id) const;
  /// After nothing names them any more.
  void remove_path(std::uint32_t id);
  void remove_group(std::uint32_t id);
  /// The group as its entry and its paths' entries tell it; none where they contradict each other.
  [[nodiscard]] std::optional<Group> group(std::uint32_t id) const;

  /// The HW_BUCKETS entries of a group.
  [[nodiscard]] std::span<hw_bucket> buckets(std::uint32_t group) const;

  /// What the programs would find usable for a packet of this family.
  [[nodiscard]] bool path_usable(std::uint32_t group, std::uint32_t path, Family family) const;
  [[nodiscard]] std::uint32_t nexthop_of(std::uint32_t path) const;

  [[nodiscard]] DataplaneCounters counters() const;

  hw_router& router() { return router_[0]; }
  [[nodiscard]] const hw_router& router() const { return router_[0]; }
  [[nodiscard]] const MapFds& fds() const { return fds_; }

 private:
  Tables(const MapFds& fds, MappedArray<hw_router> router, MappedArray<hw_group> groups,
         MappedArray<hw_bucket> buckets, MappedArray<hw_path> paths,
         MappedArray<hw_nexthop> nexthops);

  MapFds fds_;
  MappedArray<hw_router> router_;
  MappedArray<hw_group> groups_;
  MappedArray<hw_bucket> buckets_;
  MappedArray<hw_path> paths_;
  MappedArray<hw_nexthop> nexthops_;
};

}  // namespace hopwise::dataplane
