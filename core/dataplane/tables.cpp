// Publication order: what is pointed to is written before what points to it (nexthop, path, group,
// bucket, route), and taken away after it. A program that reads in between finds either the old
// thing, the new one, or one that says of itself that it is not usable.
#include "core/dataplane/tables.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace hopwise::dataplane {
namespace {

std::uint16_t socket_family(Family family) {
  return family == Family::v4 ? AF_INET : AF_INET6;
}

// The sum of a per-CPU entry over all CPUs, word by word.
template <class Entry>
Entry sum_over_cpus(int fd, std::uint32_t key) {
  static_assert(sizeof(Entry) % sizeof(std::uint64_t) == 0);
  constexpr std::size_t words = sizeof(Entry) / sizeof(std::uint64_t);  // NOLINT: no pointer
  const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  std::vector<std::uint64_t> per_cpu(cpus * words);
  std::array<std::uint64_t, words> sum{};
  if (bpf_map_lookup_elem(fd, &key, per_cpu.data()) == 0)
    for (std::size_t i = 0; i < per_cpu.size(); ++i) sum[i % words] += per_cpu[i];
  return std::bit_cast<Entry>(sum);
}

}  // namespace

Tables::Tables(const MapFds& fds, MappedArray<hw_router> router, MappedArray<hw_group> groups,
               MappedArray<hw_bucket> buckets, MappedArray<hw_path> paths,
               MappedArray<hw_nexthop> nexthops)
    : fds_(fds),
      router_(std::move(router)),
      groups_(std::move(groups)),
      buckets_(std::move(buckets)),
      paths_(std::move(paths)),
      nexthops_(std::move(nexthops)) {}

Result<Tables> Tables::map(const MapFds& fds) {
  auto router = MappedArray<hw_router>::map(fds.router, 1, "hw_router");
  if (!router) return router.error();
  auto groups = MappedArray<hw_group>::map(fds.groups, HW_MAX_GROUPS, "hw_groups");
  if (!groups) return groups.error();
  auto buckets = MappedArray<hw_bucket>::map(fds.buckets, HW_MAX_GROUPS * HW_BUCKETS, "hw_buckets");
  if (!buckets) return buckets.error();
  auto paths = MappedArray<hw_path>::map(fds.paths, HW_MAX_PATHS, "hw_paths");
  if (!paths) return paths.error();
  auto nexthops = MappedArray<hw_nexthop>::map(fds.nexthops, HW_MAX_NEXTHOPS, "hw_nexthops");
  if (!nexthops) return nexthops.error();
  return Tables(fds, std::move(*router), std::move(*groups), std::move(*buckets), std::move(*paths),
                std::move(*nexthops));
}

void Tables::set_nexthop(std::uint32_t id, const NexthopKey& key) {
  if (nexthop(id) == key) return;
  hw_nexthop& entry = nexthops_[id];
  withdraw_word(entry.flags);
  entry.family = socket_family(key.gateway.family);
  std::memcpy(entry.gateway, key.gateway.bytes.data(), sizeof(entry.gateway));
  publish_word(entry.ifindex, key.ifindex);
}

void Tables::set_nexthop_usable(std::uint32_t id, bool usable) {
  hw_nexthop& entry = nexthops_[id];
  publish_word(entry.flags, usable && entry.ifindex != 0 ? HW_NEXTHOP_USABLE : 0);
}

void Tables::remove_nexthop(std::uint32_t id) {
  withdraw_word(nexthops_[id].flags);
  publish_word(nexthops_[id].ifindex, 0);
}

std::optional<NexthopKey> Tables::nexthop(std::uint32_t id) const {
  const hw_nexthop& entry = nexthops_[id];
  if (entry.ifindex == 0) return std::nullopt;
  const Family family = entry.family == AF_INET ? Family::v4 : Family::v6;
  return NexthopKey{entry.ifindex, IpAddress::from_bytes(family, entry.gateway)};
}

void Tables::set_paths(const Group& group) {
  for (const Path& path : group.paths) {
    const std::uint32_t id = raw(path.id);
    hw_path& entry = paths_[id];
    if (entry.group == raw(group.id) && entry.nexthop == raw(path.nexthop)) continue;
    const std::vector<hw_traffic> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    bpf_map_update_elem(fds_.traffic, &id, zero.data(), BPF_ANY);
    withdraw_word(entry.flags);
    entry.nexthop = raw(path.nexthop);
    publish_word(entry.group, raw(group.id));
    publish_word(entry.flags, HW_PATH_USABLE);
  }
  hw_group& entry = groups_[raw(group.id)];
  for (std::size_t i = 0; i < group.paths.size(); ++i)
    publish_word(entry.path[i], raw(group.paths[i].id));
  publish_word(entry.count, group.paths.size());
}

void Tables::set_path_usable(std::uint32_t id, bool usable) {
  publish_word(paths_[id].flags, usable ? HW_PATH_USABLE : 0);
}

bool Tables::path_flagged_usable(std::uint32_t id) const {
  return (paths_[id].flags & HW_PATH_USABLE) != 0;
}

void Tables::remove_path(std::uint32_t id) {
  withdraw_word(paths_[id].flags);
  publish_word(paths_[id].group, 0);
  publish_word(paths_[id].nexthop, 0);
}

void Tables::remove_group(std::uint32_t id) {
  hw_group& entry = groups_[id];
  withdraw_word(entry.count);
  for (hw_bucket& bucket : buckets(id)) publish_word(bucket.path, 0);
}

std::optional<Group> Tables::group(std::uint32_t id) const {
  const hw_group& entry = groups_[id];
  if (entry.count == 0 || entry.count > HW_MAX_GROUP_PATHS) return std::nullopt;
  Group group{GroupId{id}, {}};
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    const std::uint32_t path = entry.path[i];
    if (path == 0 || path >= HW_MAX_PATHS || paths_[path].group != id) return std::nullopt;
    const std::uint32_t hop = paths_[path].nexthop;
    if (hop == 0 || hop >= HW_MAX_NEXTHOPS || !nexthop(hop)) return std::nullopt;
    group.paths.push_back({PathId{path}, NexthopId{hop}, 1});
  }
  return group;
}

std::span<hw_bucket> Tables::buckets(std::uint32_t group) const {
  return {&buckets_[group * HW_BUCKETS], HW_BUCKETS};
}

bool Tables::path_usable(std::uint32_t group, std::uint32_t path, Family family) const {
  if (path >= HW_MAX_PATHS || group == 0 || paths_[path].group != group ||
      !path_flagged_usable(path))
    return false;
  const hw_nexthop& nexthop = nexthops_[paths_[path].nexthop];
  return (nexthop.flags & HW_NEXTHOP_USABLE) != 0 &&
         (family == Family::v4 || nexthop.family == AF_INET6);
}

std::uint32_t Tables::nexthop_of(std::uint32_t path) const {
  return paths_[path].nexthop;
}

DataplaneCounters Tables::counters() const {
  static constexpr const char* kNames[] = {
#define HW_REASON_NAME(id, name, help) name,
      HW_REASONS(HW_REASON_NAME)
#undef HW_REASON_NAME
  };
  DataplaneCounters counters;
  for (std::uint32_t reason = 0; reason < HW_REASON_COUNT; ++reason)
    counters.packets_by_reason[kNames[reason]] = sum_over_cpus<std::uint64_t>(fds_.reasons, reason);
  for (std::uint32_t path = 1; path < HW_MAX_PATHS; ++path) {
    if (paths_[path].group == 0) continue;
    const auto sum = sum_over_cpus<hw_traffic>(fds_.traffic, path);
    counters.paths[PathId{path}] = {sum.forward_packets, sum.forward_bytes, sum.reverse_packets,
                                    sum.reverse_bytes};
  }
  return counters;
}

}  // namespace hopwise::dataplane
