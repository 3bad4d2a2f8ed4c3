// What bpf/choice.h does with the next packet of a flow, told without sending one. The lookup in
// the flow table counts as use there, as a packet would.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>

#include <cstring>

#include "bpf/hash.h"
#include "core/dataplane/impl.hpp"

namespace hopwise::dataplane {
namespace {

hw_flow_key key_of(const FlowTuple& flow) {
  const bool icmp = flow.protocol == IPPROTO_ICMP || flow.protocol == IPPROTO_ICMPV6;
  hw_flow_key key{};
  std::memcpy(key.source, flow.source.bytes.data(), sizeof(key.source));
  std::memcpy(key.destination, flow.destination.bytes.data(), sizeof(key.destination));
  key.source_port = htons(flow.source_port);
  key.destination_port = htons(icmp ? flow.source_port : flow.destination_port);
  key.family = static_cast<__u8>(flow.destination.family);
  key.protocol = flow.protocol;
  return key;
}

// The path that the programs would take; 0 for none.
std::uint32_t choose(const Tables& tables, const Group& group, Family family,
                     const std::optional<hw_flow>& flow, std::uint32_t bucket_path,
                     std::uint32_t hash) {
  const auto usable = [&](std::uint32_t path) {
    return tables.path_usable(raw(group.id), path, family);
  };
  if (flow) {
    if (usable(flow->path) && tables.nexthop_of(flow->path) == flow->nexthop) return flow->path;
    for (const Path& path : group.paths)
      if (raw(path.nexthop) == flow->nexthop && usable(raw(path.id))) return raw(path.id);
  }
  if (usable(bucket_path)) return bucket_path;
  std::uint32_t best = 0, best_rank = 0;
  for (const Path& path : group.paths) {
    const std::uint32_t rank = hw_rendezvous_rank(hash, raw(path.id));
    if (rank < best_rank || !usable(raw(path.id))) continue;
    best = raw(path.id);
    best_rank = rank;
  }
  return best;
}

}  // namespace

FlowPlacement Dataplane::place(const FlowTuple& tuple, TimePoint now) const {
  const Tables& tables = impl_->tables;
  FlowPlacement placement;
  const auto match = impl_->routes.find(tuple.destination);
  if (!match) return placement;
  placement.route = match->prefix;
  if (match->group == HW_ROUTE_KERNEL) return placement;
  placement.group = GroupId{match->group};

  const hw_flow_key key = key_of(tuple);
  const std::uint32_t hash = hw_flow_hash(&key, tables.router().hash_seed);
  placement.bucket = hash & (HW_BUCKETS - 1);
  const std::uint32_t bucket_path = tables.buckets(match->group)[placement.bucket].path;
  if (bucket_path != 0) placement.bucket_nexthop = NexthopId{tables.nexthop_of(bucket_path)};

  std::optional<hw_flow> flow(std::in_place);
  if (bpf_map_lookup_elem(tables.fds().flows, &key, &*flow) != 0) flow.reset();
  if (flow) {
    placement.flow_nexthop = NexthopId{flow->nexthop};
    placement.flow_packets = flow->packets;
    placement.flow_bytes = flow->bytes;
  }
  const Group* group = impl_->weights.find(*placement.group);
  if (group == nullptr || now >= lease_expires()) return placement;
  const std::uint32_t path =
      choose(tables, *group, tuple.destination.family, flow, bucket_path, hash);
  if (path != 0) placement.nexthop = NexthopId{tables.nexthop_of(path)};
  return placement;
}

}  // namespace hopwise::dataplane
