/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The flow tables. A new flow gets an entry among the embryos and earns a lasting one: of TCP by
 * acknowledging what the peer has said, else by a packet that follows an answer, or by
 * HW_PROVEN_PACKETS without any (traffic that returns another way). An answer alone proves nothing:
 * servers answer the SYNs of a flood too. So a flood of new flows pushes out embryos only, and the
 * look-up of an established flow is one.
 *
 * Every insertion is paid from a budget a CPU and millisecond. What is beyond it is served all the
 * same, by its bucket, without an entry.
 */
#ifndef HOPWISE_BPF_FLOW_H
#define HOPWISE_BPF_FLOW_H

#include <linux/in.h>
#include <stdbool.h>

#include "maps.h"
#include "settings.h"

#define HW_PROVEN_PACKETS 16
#define HW_EEXIST	  17
#define HW_MS_SHIFT	  20 /* ns -> 1.05 ms */

enum hw_entry {
	HW_ENTRY_EMBRYO,
	HW_ENTRY_LASTING, /* of another budget: a flood of new flows must not keep these from it */
};

/* By the exact clock: the coarse one stands still for several milliseconds. */
static __always_inline bool hw_may_insert(enum hw_entry kind)
{
	__u32 only = 0, ms = bpf_ktime_get_ns() >> HW_MS_SHIFT;
	struct hw_budget *budget = bpf_map_lookup_elem(&hw_budget, &only);
	__u16 *spent;

	if (!budget)
		return false;
	if (budget->ms != ms) {
		budget->ms = ms;
		budget->begun = budget->promoted = 0;
	}
	spent = kind == HW_ENTRY_LASTING ? &budget->promoted : &budget->begun;
	if (*spent >= hw_settings.new_flows_per_ms)
		return false;
	*spent += 1;
	return true;
}

/* The lasting entry; the embryo itself when that cannot be had now. */
static __always_inline struct hw_flow *hw_promote(const struct hw_flow_key *key,
						  struct hw_flow *embryo)
{
	struct hw_flow *flow;
	long failed;

	if (!hw_may_insert(HW_ENTRY_LASTING))
		return embryo;
	failed = bpf_map_update_elem(&hw_flows, key, embryo, BPF_NOEXIST);
	if (failed && failed != -HW_EEXIST) { /* else another CPU was faster */
		hw_count(HW_COUNT_FLOW_REFUSED);
		return embryo;
	}
	if (!failed) {
		hw_count(HW_COUNT_FLOW_PROMOTED);
		bpf_map_delete_elem(&hw_embryos, key);
	}
	flow = bpf_map_lookup_elem(&hw_flows, key);
	return flow ? flow : embryo;
}

/* A blind sender makes servers answer, but cannot acknowledge what they say. */
static __always_inline bool hw_is_proven(const struct hw_flow_key *key, const struct hw_flow *flow)
{
	__u16 needed =
	    key->protocol == IPPROTO_TCP && hw_reads_traffic() ? HW_FLOW_PROVEN : HW_FLOW_ANSWERED;

	return (flow->flags & needed) || flow->packets >= HW_PROVEN_PACKETS;
}

static __always_inline struct hw_flow *hw_find_flow(const struct hw_flow_key *key)
{
	struct hw_flow *flow = bpf_map_lookup_elem(&hw_flows, key);

	if (flow)
		return flow;
	flow = bpf_map_lookup_elem(&hw_embryos, key);
	if (flow && hw_is_proven(key, flow))
		return hw_promote(key, flow);
	return flow;
}

/* `fresh`: what its entry begins with. NULL when it gets none. */
static __always_inline struct hw_flow *hw_new_flow(const struct hw_flow_key *key,
						   const struct hw_flow *fresh)
{
	if (!hw_may_insert(HW_ENTRY_EMBRYO)) {
		hw_count(HW_COUNT_FLOW_GUARDED);
		return NULL;
	}
	if (bpf_map_update_elem(&hw_embryos, key, fresh, BPF_ANY)) {
		hw_count(HW_COUNT_FLOW_REFUSED);
		return NULL;
	}
	hw_count(HW_COUNT_FLOW_NEW);
	return bpf_map_lookup_elem(&hw_embryos, key);
}

#endif
