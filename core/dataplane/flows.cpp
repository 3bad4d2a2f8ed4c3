#include "core/dataplane/flows.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/dataplane/dataplane.hpp"
#include "core/dataplane/handle.hpp"
#include "core/dataplane/pins.hpp"
#include "core/dataplane/tables.hpp"

namespace hopwise::dataplane {
namespace {

constexpr std::uint32_t kBatch = 4096;

Error no_table(const std::string& namespace_folder) {
  std::string message =
      "read flows: no hopwise has run in this network namespace (nothing pinned in " +
      namespace_folder + '/' + abi_name() + ')';
  for (const std::string& name : names_in(namespace_folder))
    if (name != abi_name())
      message += "; one of another version has, and left " + name + ": ask its own `hopwise flows`";
  return Error{message};
}

// A table of another shape would be read over the end of our buffers.
Result<Handle> open_table(const std::string& folder, const char* name) {
  const std::string pin = folder + '/' + abi_name() + '/' + name;
  Handle map(bpf_obj_get(pin.c_str()));
  if (!map && errno == ENOENT) return no_table(folder);
  bpf_map_info info{};
  __u32 size = sizeof(info);
  if (!map || bpf_obj_get_info_by_fd(map.fd(), &info, &size) != 0)
    return system_error("read flows: open " + pin, errno);
  if (info.type != BPF_MAP_TYPE_LRU_HASH || info.key_size != sizeof(hw_flow_key) ||
      info.value_size != sizeof(hw_flow))
    return Error{"read flows: " + pin + " is no flow table of this version (restart hopwise)"};
  return map;
}

struct HashKey {
  std::size_t operator()(const hw_flow_key& key) const {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&key), sizeof(key)});
  }
};
struct SameKey {
  bool operator()(const hw_flow_key& a, const hw_flow_key& b) const {
    return std::memcmp(&a, &b, sizeof(a)) == 0;
  }
};

// What paths mean now: the daemon may have made others of them since a flow was on one.
class PathGroups {
 public:
  static Result<PathGroups> open(const std::string& folder) {
    const Handle fd(bpf_obj_get((folder + '/' + abi_name() + "/hw_paths").c_str()));
    if (!fd) return system_error("read flows: open hw_paths", errno);
    auto paths = MappedArray<hw_path>::map(fd.fd(), HW_MAX_PATHS, "hw_paths");
    if (!paths) return paths.error();
    return PathGroups(std::move(*paths));
  }

  [[nodiscard]] std::optional<GroupId> operator()(std::uint32_t path) const {
    if (path >= HW_MAX_TRAFFIC) return std::nullopt;
    if (path >= HW_MAX_PATHS) return GroupId{path - HW_MAX_PATHS};
    const hw_path& entry = paths_[path];
    return entry.nexthop == 0 ? std::nullopt : std::optional(GroupId{entry.group});
  }

 private:
  explicit PathGroups(MappedArray<hw_path> paths) : paths_(std::move(paths)) {}
  MappedArray<hw_path> paths_;
};

std::uint8_t of_both_families(std::uint8_t protocol) {
  return protocol == IPPROTO_ICMPV6 ? std::uint8_t{IPPROTO_ICMP} : protocol;
}

bool matches(const FlowFilter& filter, const FlowRecord& flow) {
  const FlowTuple& tuple = flow.tuple;
  return (!filter.protocol ||
          of_both_families(*filter.protocol) == of_both_families(tuple.protocol)) &&
         (!filter.port || *filter.port == tuple.source_port ||
          *filter.port == tuple.destination_port) &&
         (!filter.nexthop || filter.nexthop == flow.nexthop) &&
         (!filter.group || filter.group == flow.group) && flow.idle < filter.idle_below &&
         (!filter.source || filter.source->contains(tuple.source)) &&
         (!filter.destination || filter.destination->contains(tuple.destination));
}

Duration since(std::uint64_t then_ns, TimePoint now) {
  return std::max(Duration::zero(),
                  now.time_since_epoch() - Duration(static_cast<Duration::rep>(then_ns)));
}

}  // namespace

EntryReader::EntryReader(int map_fd, std::uint32_t batch)
    : map_fd_(map_fd), keys_(batch), flows_(batch) {}

Result<bool> EntryReader::next(const EachEntry& each) {
  for (;;) {
    std::uint32_t from = from_.value_or(0), to = 0;
    auto count = static_cast<__u32>(keys_.size());
    const int failed = bpf_map_lookup_batch(map_fd_, from_ ? &from : nullptr, &to, keys_.data(),
                                            flows_.data(), &count, nullptr);
    if (failed == -ENOSPC) {  // one bucket holds more
      keys_.resize(2 * keys_.size());
      flows_.resize(2 * flows_.size());
      continue;
    }
    from_ = failed == 0 ? std::optional(to) : std::nullopt;
    if (failed != 0 && failed != -ENOENT) return system_error("read flows", failed);
    for (std::uint32_t i = 0; i < count; ++i) each(keys_[i], flows_[i]);
    return failed == 0;
  }
}

Result<> read_entries(int map_fd, std::uint32_t batch, const EachEntry& each) {
  for (EntryReader reader(map_fd, batch);;) {
    const auto more = reader.next(each);
    if (!more) return more.error();
    if (!*more) return {};
  }
}

FlowTuple tuple_of(const hw_flow_key& key) {
  const Family family = key.family == 4 ? Family::v4 : Family::v6;
  const bool icmp = key.protocol == IPPROTO_ICMP || key.protocol == IPPROTO_ICMPV6;
  return {.source = IpAddress::from_bytes(family, key.source),
          .destination = IpAddress::from_bytes(family, key.destination),
          .protocol = key.protocol,
          .source_port = ntohs(key.source_port),
          .destination_port = icmp ? std::uint16_t{0} : ntohs(key.destination_port)};
}

FlowRecord record_of(const hw_flow_key& key, const hw_flow& flow, std::optional<GroupId> group,
                     TimePoint now) {
  FlowRecord record;
  record.tuple = tuple_of(key);
  record.group = group;
  if (flow.nexthop != 0) record.nexthop = NexthopId{flow.nexthop};
  record.control = (flow.flags & HW_FLOW_CONTROL) != 0;
  record.answered = (flow.flags & HW_FLOW_ANSWERED) != 0;
  record.age = since(flow.started_ns, now);
  record.idle = since(flow.last_seen_ns, now);
  if (flow.moved_ns != 0) record.moved = since(flow.moved_ns, now);
  record.packets = flow.packets;
  record.bytes = flow.bytes;
  record.reverse_packets = flow.reverse_packets;
  record.reverse_bytes = flow.reverse_bytes;
  if (flow.seen.rtt_us != 0) record.rtt = std::chrono::microseconds(flow.seen.rtt_us);
  record.rtt_deviation = std::chrono::microseconds(flow.seen.rtt_deviation_us);
  record.segments = flow.seen.segments;
  record.retransmitted = flow.seen.retransmitted;
  record.escapes = flow.escapes;
  return record;
}

// A flow that is promoted meanwhile would be read from both tables, or from neither if the lasting
// one were read first: so embryos are remembered, and are told last, unless they have grown up.
Result<> read_flows(const std::string& pin_root, const FlowFilter& filter, TimePoint now,
                    const std::function<void(const FlowRecord&)>& each) {
  const auto cookie = namespace_cookie();
  if (!cookie) return cookie.error();
  const std::string folder = namespace_folder(pin_root, *cookie);
  const auto flows = open_table(folder, "hw_flows");
  if (!flows) return flows.error();
  const auto embryos = open_table(folder, "hw_embryos");
  if (!embryos) return embryos.error();
  const auto group_of = PathGroups::open(folder);
  if (!group_of) return group_of.error();

  const auto tell = [&](const hw_flow_key& key, const hw_flow& flow) {
    const FlowRecord record = record_of(key, flow, (*group_of)(flow.path), now);
    if (matches(filter, record)) each(record);
  };
  std::unordered_map<hw_flow_key, hw_flow, HashKey, SameKey> young;
  auto read = read_entries(embryos->fd(), kBatch, [&](const auto& key, const auto& flow) {
    young.insert_or_assign(key, flow);
  });
  if (!read) return read;
  read = read_entries(flows->fd(), kBatch, [&](const auto& key, const auto& flow) {
    if (!young.empty()) young.erase(key);
    tell(key, flow);
  });
  if (!read) return read;
  for (const auto& [key, flow] : young) tell(key, flow);
  return {};
}

}  // namespace hopwise::dataplane
