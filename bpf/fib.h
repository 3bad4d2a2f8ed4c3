/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Destination -> group, by longest match. How routes are stored is told in abi.h, and known only
 * here and in core/dataplane/fib*. The daemon stores to these arrays while we read: each slot is
 * read once, and what it points to was filled before and is not used anew as long as we run.
 */
#ifndef HOPWISE_BPF_FIB_H
#define HOPWISE_BPF_FIB_H

#include <bpf/bpf_endian.h>

#include "maps.h"

static __always_inline __u32 hw_fib_word(const struct hw_flow_key *flow, int word)
{
	return bpf_ntohl(((const __u32 *)flow->destination)[word]);
}

static __always_inline __u32 hw_fib_lookup4(__u32 address)
{
	const struct hw_slots4 *slots;
	__u32 slot, index = address >> 10;

	slots = bpf_map_lookup_elem(&hw_routes4, &index);
	if (!slots)
		return HW_ROUTE_NONE;
	slot = *(const volatile __u16 *)&slots->slot[address >> 8 & 3];
	if (!(slot & HW_SLOT4_BLOCK))
		return slot;

	index = (slot & ~HW_SLOT4_BLOCK) * HW_BLOCK4_ENTRIES + (address >> 2 & 63);
	slots = bpf_map_lookup_elem(&hw_blocks4, &index);
	if (!slots)
		return HW_ROUTE_KERNEL;
	return *(const volatile __u16 *)&slots->slot[address & 3];
}

/* `high` and `low` are shifted along, so that every turn of the loop looks the same to the
 * verifier. */
static __always_inline __u32 hw_fib_lookup6(__u64 high, __u64 low)
{
	const struct hw_slots6 *slots;
	const struct hw_node6 *node;
	__u32 slot, child, group, index = high >> (64 - HW_ROUTES6_BITS + 1);

	slots = bpf_map_lookup_elem(&hw_routes6, &index);
	if (!slots)
		return HW_ROUTE_NONE;
	slot = *(const volatile __u32 *)&slots->slot[high >> (64 - HW_ROUTES6_BITS) & 1];
	group = slot & HW_SLOT6_GROUP;
	high = high << HW_ROUTES6_BITS | low >> (64 - HW_ROUTES6_BITS);
	low <<= HW_ROUTES6_BITS;

	for (int stage = 0; stage < (128 - HW_ROUTES6_BITS) / HW_NODE6_BITS; stage++) {
		child = slot >> HW_SLOT6_CHILD;
		if (!child)
			break;
		node = bpf_map_lookup_elem(&hw_nodes6, &child);
		if (!node)
			return HW_ROUTE_KERNEL;
		slot = *(const volatile __u32 *)&node->slot[high >> (64 - HW_NODE6_BITS)];
		if (slot & HW_SLOT6_GROUP)
			group = slot & HW_SLOT6_GROUP;
		high = high << HW_NODE6_BITS | low >> (64 - HW_NODE6_BITS);
		low <<= HW_NODE6_BITS;
	}
	return group;
}

/* A group's id, HW_ROUTE_KERNEL for a route that is the kernel's, or HW_ROUTE_NONE. */
static __always_inline __u32 hw_fib_lookup(const struct hw_flow_key *flow,
					   const struct hw_router *router)
{
	__u32 group;

	if (flow->family == 4) {
		group = hw_fib_lookup4(hw_fib_word(flow, 0));
		return group ? group : router->default4;
	}
	group = hw_fib_lookup6((__u64)hw_fib_word(flow, 0) << 32 | hw_fib_word(flow, 1),
			       (__u64)hw_fib_word(flow, 2) << 32 | hw_fib_word(flow, 3));
	return group ? group : router->default6;
}

#endif
