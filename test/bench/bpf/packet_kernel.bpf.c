// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Over the kernel's FIB by bpf_fib_lookup, without its neighbour look-up. It needs the packet's
 * context, which hw_fib_lookup() does not have: the caller's `skb` is taken by name. It tells a
 * nexthop, not a group: the group is that of the flow's family.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "maps.h"

#define BENCH_SKIP_NEIGH (1u << 2) /* BPF_FIB_LOOKUP_SKIP_NEIGH, since 6.3 */
#define BENCH_GROUPS	 16	   /* kGroups of test/bench/internet.hpp */

static __always_inline __u32 bench_fib_lookup(struct __sk_buff *skb, const struct hw_flow_key *flow)
{
	struct bpf_fib_lookup request = {.ifindex = skb->ifindex};

	request.l4_protocol = flow->protocol;
	request.sport = flow->source_port;
	request.dport = flow->destination_port;
	if (flow->family == 4) {
		request.family = 2;
		__builtin_memcpy(&request.ipv4_src, flow->source, 4);
		__builtin_memcpy(&request.ipv4_dst, flow->destination, 4);
	} else {
		request.family = 10;
		__builtin_memcpy(request.ipv6_src, flow->source, 16);
		__builtin_memcpy(request.ipv6_dst, flow->destination, 16);
	}
	if (bpf_fib_lookup(skb, &request, sizeof(request), BENCH_SKIP_NEIGH) !=
	    BPF_FIB_LKUP_RET_SUCCESS)
		return HW_ROUTE_NONE;
	return flow->family == 4 ? 1 : BENCH_GROUPS + 1;
}

#define hw_fib_lookup(flow, router) bench_fib_lookup(skb, flow)

#include "packet.h"
