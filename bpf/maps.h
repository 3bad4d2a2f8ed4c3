/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Every map, once. Weak, so that each program's object may carry them and the linker keeps one.
 * What the daemon writes often is mmap-able: it stores to it without a system call.
 */
#ifndef HOPWISE_BPF_MAPS_H
#define HOPWISE_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

#define HW_ARRAY(map, entry, entries)                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, entry);                                                              \
	} map __weak SEC(".maps")

#define HW_PERCPU_ARRAY(map, entry, entries)                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                           \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, entry);                                                              \
	} map __weak SEC(".maps")

#define HW_TRIE(map, prefix, entries)                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                               \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, entries);                                                      \
		__type(key, prefix);                                                               \
		__type(value, __u32);                                                              \
	} map __weak SEC(".maps")

HW_ARRAY(hw_lease, struct hw_lease, 1);
HW_TRIE(hw_routes4, struct hw_route4, HW_MAX_ROUTES);
HW_TRIE(hw_routes6, struct hw_route6, HW_MAX_ROUTES);
HW_ARRAY(hw_groups, struct hw_group, HW_MAX_GROUPS);
HW_ARRAY(hw_buckets, struct hw_bucket, HW_MAX_GROUPS *HW_BUCKETS);
HW_ARRAY(hw_paths, struct hw_path, HW_MAX_PATHS);
HW_ARRAY(hw_nexthops, struct hw_nexthop, HW_MAX_NEXTHOPS);

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HW_MAX_FLOWS);
	__type(key, struct hw_flow_key);
	__type(value, struct hw_flow);
} hw_flows __weak SEC(".maps");

HW_PERCPU_ARRAY(hw_traffic, struct hw_traffic, HW_MAX_PATHS);
HW_PERCPU_ARRAY(hw_reasons, __u64, HW_REASON_COUNT);

#endif
