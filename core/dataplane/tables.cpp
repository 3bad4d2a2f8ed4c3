// Publication order: what is pointed to is written before what points to it (nexthop, path, group,
// bucket, route), and taken away after it. A program that reads in between finds either the old
// thing, the new one, or one that says of itself that it is not usable.
#include "core/dataplane/tables.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace hopwise::dataplane {
namespace {

std::uint16_t socket_family(Family family) {
  return family == Family::v4 ? AF_INET : AF_INET6;
}

// A per-CPU array's entries, each summed over all CPUs word by word.
template <class Entry>
class PerCpuSums {
  static_assert(sizeof(Entry) % sizeof(std::uint64_t) == 0);
  static constexpr std::size_t kWords =
      sizeof(Entry) / sizeof(std::uint64_t);  // NOLINT: no pointer

 public:
  explicit PerCpuSums(int fd) : fd_(fd) {}

  // Of the entries `first` and on; fewer when the kernel gives fewer.
  std::vector<Entry> read(std::uint32_t first, std::uint32_t count) {
    const std::size_t stride = cpus_ * kWords;
    words_.resize(count * stride);
    keys_.resize(count);
    std::uint32_t before = first - 1, last = 0;
    bpf_map_lookup_batch(fd_, first == 0 ? nullptr : &before, &last, keys_.data(), words_.data(),
                         &count, nullptr);  // its error at the table's end is none
    std::vector<Entry> sums(count);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      std::array<std::uint64_t, kWords> sum{};
      for (std::size_t w = 0; w < stride; ++w) sum[w % kWords] += words_[i * stride + w];
      sums[i] = std::bit_cast<Entry>(sum);
    }
    return sums;
  }

 private:
  int fd_;
  std::size_t cpus_ = static_cast<std::size_t>(libbpf_num_possible_cpus());
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> keys_;
};

constexpr std::uint32_t kTrafficBatch = 256;

PathTraffic traffic_of(const hw_traffic& sum) {
  return {
      sum.forward_packets, sum.forward_bytes, sum.reverse_packets, sum.reverse_bytes, sum.segments,
      sum.retransmitted,   sum.acks,          sum.ece_acks,        sum.escapes};
}

std::uint8_t kind_of(const Variant& variant) {
  return variant.destination          ? HW_GROUP_DESTINATION
         : variant.traffic_class != 0 ? HW_GROUP_CLASS
                                      : HW_GROUP_PLAIN;
}

// Which prefix a group was for is not told: a placeholder says that it was for one.
Variant variant_of(const hw_group& entry) {
  Variant variant{entry.traffic_class};
  if (entry.kind == HW_GROUP_DESTINATION) variant.destination.emplace();
  return variant;
}

void clear_traffic(int fd, std::uint32_t index) {
  const std::vector<hw_traffic> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  bpf_map_update_elem(fd, &index, zero.data(), BPF_ANY);
}

}  // namespace

Tables::Tables(const MapFds& fds, GracePeriod wait, MappedArray<hw_router> router,
               MappedArray<hw_group> groups, MappedArray<hw_class_rules> classes,
               MappedArray<hw_bucket> buckets, MappedArray<hw_path> paths,
               MappedArray<hw_nexthop> nexthops)
    : fds_(fds),
      wait_(std::move(wait)),
      router_(std::move(router)),
      groups_(std::move(groups)),
      classes_(std::move(classes)),
      buckets_(std::move(buckets)),
      paths_(std::move(paths)),
      nexthops_(std::move(nexthops)) {}

Result<Tables> Tables::map(const MapFds& fds, GracePeriod wait) {
  auto router = MappedArray<hw_router>::map(fds.router, 1, "hw_router");
  if (!router) return router.error();
  auto groups = MappedArray<hw_group>::map(fds.groups, HW_MAX_GROUPS, "hw_groups");
  if (!groups) return groups.error();
  auto classes = MappedArray<hw_class_rules>::map(fds.classes, HW_CLASS_ENTRIES, "hw_classes");
  if (!classes) return classes.error();
  auto buckets = MappedArray<hw_bucket>::map(fds.buckets, HW_MAX_GROUPS * HW_BUCKETS, "hw_buckets");
  if (!buckets) return buckets.error();
  auto paths = MappedArray<hw_path>::map(fds.paths, HW_MAX_PATHS, "hw_paths");
  if (!paths) return paths.error();
  auto nexthops = MappedArray<hw_nexthop>::map(fds.nexthops, HW_MAX_NEXTHOPS, "hw_nexthops");
  if (!nexthops) return nexthops.error();
  return Tables(fds, std::move(wait), std::move(*router), std::move(*groups), std::move(*classes),
                std::move(*buckets), std::move(*paths), std::move(*nexthops));
}

void Tables::set_nexthop(std::uint32_t id, const NexthopKey& key, std::uint32_t mark) {
  hw_nexthop& entry = nexthops_[id];
  if (nexthop(id) == key && entry.mark == mark) return;
  const bool in_use = entry.flags != 0;
  withdraw_word(entry.flags);
  if (in_use) (void)wait_();
  entry.family = socket_family(key.gateway.family);
  std::memcpy(entry.gateway, key.gateway.bytes.data(), sizeof(entry.gateway));
  entry.mark = mark;
  publish_word(entry.ifindex, key.ifindex);
}

void Tables::set_nexthop_usable(std::uint32_t id, bool usable) {
  hw_nexthop& entry = nexthops_[id];
  const std::uint32_t others = entry.flags & ~HW_NEXTHOP_USABLE;
  publish_word(entry.flags, others | (usable && entry.ifindex != 0 ? HW_NEXTHOP_USABLE : 0));
}

void Tables::set_nexthop_held(std::uint32_t id, bool held) {
  hw_nexthop& entry = nexthops_[id];
  const std::uint32_t others = entry.flags & ~HW_NEXTHOP_HELD;
  publish_word(entry.flags, others | (held && entry.ifindex != 0 ? HW_NEXTHOP_HELD : 0));
}

void Tables::set_nexthop_link(std::uint32_t id, const std::optional<Link>& link) {
  hw_nexthop& entry = nexthops_[id];
  const auto others = static_cast<std::uint16_t>(entry.flags & ~HW_NEXTHOP_DIRECT);
  if (!link || entry.ifindex == 0) return publish_word(entry.flags, others);
  std::array<std::uint8_t, sizeof(entry.link)> addresses{};
  std::copy(link->gateway.begin(), link->gateway.end(), addresses.begin());
  std::copy(link->interface.begin(), link->interface.end(), addresses.begin() + 6);
  publish_word(entry.mtu, link->mtu);
  if (std::memcmp(entry.link, addresses.data(), addresses.size()) != 0) {
    // Withdrawn long ago or just now: a program may be on its way with the old ones. All zero is
    // what no program has ever used.
    publish_word(entry.flags, others);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    constexpr std::array<std::uint8_t, sizeof(entry.link)> kNever{};
    const bool fresh = std::memcmp(entry.link, kNever.data(), kNever.size()) == 0;
    if (!fresh && !wait_()) return;  // the kernel resolves: slower, never wrong
    std::memcpy(entry.link, addresses.data(), addresses.size());
  }
  publish_word(entry.flags, others | HW_NEXTHOP_DIRECT);
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
    clear_traffic(fds_.traffic, id);
    withdraw_word(entry.flags);
    entry.nexthop = raw(path.nexthop);
    entry.kernel_weight = path.kernel_weight;
    publish_word(entry.group, raw(group.id));
    // A candidate is not for flows whose own path is not usable either, until a decision says so.
    publish_word(entry.flags, path.kernel_weight > 0 ? HW_PATH_USABLE : 0);
  }
  hw_group& entry = groups_[raw(group.id)];
  clear_traffic(fds_.traffic, HW_CONTROL_PATH(raw(group.id)));
  set_affinity(raw(group.id), Affinity::flow, 0);
  set_class_groups(raw(group.id), {});
  publish_word(entry.flags, 0);
  entry.traffic_class = group.variant.traffic_class;
  entry.kind = kind_of(group.variant);
  for (std::size_t i = 0; i < group.paths.size(); ++i)
    publish_word(entry.path[i], raw(group.paths[i].id));
  publish_word(entry.count, group.paths.size());
}

void Tables::set_affinity(std::uint32_t group, Affinity affinity, std::uint16_t flowlet_gap_ms) {
  static_assert(static_cast<int>(Affinity::flow) == HW_AFFINITY_FLOW);
  static_assert(static_cast<int>(Affinity::flowlet) == HW_AFFINITY_FLOWLET);
  static_assert(static_cast<int>(Affinity::bucket) == HW_AFFINITY_BUCKET);
  publish_word(groups_[group].flowlet_gap_ms, flowlet_gap_ms);
  publish_word(groups_[group].affinity, affinity);
}

Affinity Tables::affinity(std::uint32_t group) const {
  return static_cast<Affinity>(groups_[group].affinity);
}

void Tables::set_class_groups(std::uint32_t group, std::span<const GroupId> serving) {
  for (std::size_t i = 1; i < HW_MAX_CLASSES; ++i)
    publish_word(groups_[group].class_group[i], i <= serving.size() ? raw(serving[i - 1]) : 0);
}

void Tables::set_use(std::uint32_t group, Use use) {
  publish_word(groups_[group].flags, use == Use::dry_run ? HW_GROUP_DRY_RUN : 0);
}

bool Tables::has_class_rules(std::span<const hw_class_rule> rules) const {
  const auto alike = [](const hw_class_rule& a, const hw_class_rule& b) {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
  };
  const auto now = class_rules();
  return std::equal(now.begin(), now.end(), rules.begin(), rules.end(), alike);
}

// The entry that is not in use was so a moment ago, perhaps: programs that read it must have ended.
Result<> Tables::set_class_rules(std::span<const hw_class_rule> rules) {
  if (has_class_rules(rules)) return {};
  const std::uint32_t in_use = router().class_rules >> HW_CLASS_ENTRY;
  const std::uint32_t entry = (in_use + 1) % HW_CLASS_ENTRIES;
  if (rules.empty()) {
    publish_word(router().class_rules, 0U);
    return {};
  }
  if (!wait_())
    return Error{
        "change the rules of classes: the programs that read the old ones cannot be waited "
        "for (needs membarrier)"};
  std::copy(rules.begin(), rules.end(), classes_[entry].rule);
  publish_word(router().class_rules, entry << HW_CLASS_ENTRY | rules.size());
  return {};
}

std::span<const hw_class_rule> Tables::class_rules() const {
  const std::uint32_t word = router().class_rules;
  const std::uint32_t count = word & ((1U << HW_CLASS_ENTRY) - 1);
  return {classes_[(word >> HW_CLASS_ENTRY) % HW_CLASS_ENTRIES].rule,
          std::min<std::uint32_t>(count, HW_MAX_CLASS_RULES)};
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
  if (entry.count == 0) return std::nullopt;
  Group group{GroupId{id}, {}};
  const Group broken = group;
  group.variant = variant_of(entry);
  if (entry.count > HW_MAX_GROUP_PATHS) return broken;
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    const std::uint32_t path = entry.path[i];
    if (path == 0 || path >= HW_MAX_PATHS || paths_[path].group != id) return broken;
    if (std::find(entry.path, entry.path + i, path) != entry.path + i) return broken;
    const std::uint32_t hop = paths_[path].nexthop;
    if (hop == 0 || hop >= HW_MAX_NEXTHOPS || !nexthop(hop)) return broken;
    group.paths.push_back({PathId{path}, NexthopId{hop}, paths_[path].kernel_weight});
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

std::optional<hw_flow> Tables::flow(const hw_flow_key& key) const {
  hw_flow flow{};
  if (bpf_map_lookup_elem(fds_.flows, &key, &flow) == 0 ||
      bpf_map_lookup_elem(fds_.embryos, &key, &flow) == 0)
    return flow;
  return std::nullopt;
}

DataplaneCounters Tables::counters() const {
  static constexpr const char* kReasons[] = {
#define HW_NAME(id, name, help) name,
      HW_REASONS(HW_NAME)};
  static constexpr const char* kEvents[] = {HW_COUNTS(HW_NAME)};
#undef HW_NAME
  DataplaneCounters counters;
  const auto reasons = PerCpuSums<std::uint64_t>(fds_.reasons).read(0, HW_REASON_COUNT);
  for (std::size_t i = 0; i < reasons.size(); ++i)
    counters.packets_by_reason[kReasons[i]] = reasons[i];
  const auto events = PerCpuSums<std::uint64_t>(fds_.counts).read(0, HW_COUNT_COUNT);
  for (std::size_t i = 0; i < events.size(); ++i) counters.events[kEvents[i]] = events[i];

  const auto is_path = [&](std::uint32_t i) { return i < HW_MAX_PATHS && paths_[i].group != 0; };
  const auto is_control = [&](std::uint32_t i) {
    return i >= HW_MAX_PATHS && groups_[i - HW_MAX_PATHS].count != 0;
  };
  PerCpuSums<hw_traffic> traffic(fds_.traffic);
  for (std::uint32_t first = 0; first < HW_MAX_TRAFFIC; first += kTrafficBatch) {
    const std::uint32_t last = std::min<std::uint32_t>(first + kTrafficBatch, HW_MAX_TRAFFIC);
    std::uint32_t from = first, to = last;
    while (from < to && !is_path(from) && !is_control(from)) ++from;
    while (from < to && !is_path(to - 1) && !is_control(to - 1)) --to;
    if (from == to) continue;
    const auto sums = traffic.read(from, to - from);
    for (std::uint32_t i = from; i < from + sums.size(); ++i) {
      const hw_traffic& sum = sums[i - from];
      if (is_path(i)) counters.paths[PathId{i}] = traffic_of(sum);
      if (is_control(i) && sum.forward_packets != 0)
        counters.control[GroupId{i - HW_MAX_PATHS}] = traffic_of(sum);
    }
  }
  return counters;
}

}  // namespace hopwise::dataplane
