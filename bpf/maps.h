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

#define HW_LRU_HASH(map, name, entry, entries)                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                               \
		__uint(max_entries, entries);                                                      \
		__type(key, name);                                                                 \
		__type(value, entry);                                                              \
	} map __weak SEC(".maps")

HW_ARRAY(hw_router, struct hw_router, 1);
HW_ARRAY(hw_routes4, struct hw_slots4, HW_ROUTES4_ENTRIES);
HW_ARRAY(hw_blocks4, struct hw_slots4, HW_MAX_BLOCKS4 *HW_BLOCK4_ENTRIES);
HW_ARRAY(hw_routes6, struct hw_slots6, HW_ROUTES6_ENTRIES);
HW_ARRAY(hw_nodes6, struct hw_node6, HW_MAX_NODES6);
HW_ARRAY(hw_groups, struct hw_group, HW_MAX_GROUPS);
HW_ARRAY(hw_classes, struct hw_class_rules, HW_CLASS_ENTRIES);
HW_ARRAY(hw_buckets, struct hw_bucket, HW_MAX_GROUPS *HW_BUCKETS);
HW_ARRAY(hw_paths, struct hw_path, HW_MAX_PATHS);
HW_ARRAY(hw_nexthops, struct hw_nexthop, HW_MAX_NEXTHOPS);

HW_LRU_HASH(hw_flows, struct hw_flow_key, struct hw_flow, HW_MAX_FLOWS);
HW_LRU_HASH(hw_embryos, struct hw_flow_key, struct hw_flow, HW_MAX_EMBRYOS);

HW_PERCPU_ARRAY(hw_traffic, struct hw_traffic, HW_MAX_TRAFFIC);
HW_PERCPU_ARRAY(hw_reasons, __u64, HW_REASON_COUNT);
HW_PERCPU_ARRAY(hw_counts, __u64, HW_COUNT_COUNT);
HW_PERCPU_ARRAY(hw_budget, struct hw_budget, 1);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2 * HW_MAX_TRAFFIC);
	__type(key, struct hw_rtt_key);
	__type(value, struct hw_rtt);
} hw_rtt __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} hw_events __weak SEC(".maps");

static __always_inline void hw_count(__u32 event)
{
	__u64 *count = bpf_map_lookup_elem(&hw_counts, &event);

	if (count)
		*count += 1;
}

#endif
