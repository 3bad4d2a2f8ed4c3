/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a flow's own packets tell of its path: round-trip times, retransmissions, ECN's echoes, and
 * that nothing comes back at all.
 */
#ifndef HOPWISE_BPF_MEASURE_H
#define HOPWISE_BPF_MEASURE_H

#include <stdbool.h>

#include "maps.h"
#include "parse.h"
#include "settings.h"

/* The packet's bytes, of which only [data, data_end) can be read. */
struct hw_view {
	const void *data;
	const void *data_end;
	__u32 packets; /* on the wire: GRO may have merged several */
};

/* LAN -> WAN. True when the flow shows that its nexthop carries it nowhere. */
static __always_inline bool hw_measure_forward(struct hw_flow *flow, const struct hw_packet *packet,
					       const struct hw_view *view, __u64 now_ns)
{
	return false;
}

/* WAN -> LAN. */
static __always_inline void hw_measure_reverse(struct hw_flow *flow, const struct hw_packet *packet,
					       const struct hw_view *view, __u64 now_ns)
{
}

/* The flow left its nexthop: whatever is being timed says nothing of the new one. */
static __always_inline void hw_measure_moved(struct hw_flow *flow)
{
	flow->seen.stamp_ns = 0;
	flow->seen.stamp_kind = 0;
}

#endif
