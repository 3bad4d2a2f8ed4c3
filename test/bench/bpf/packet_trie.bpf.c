// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Over LPM tries, the kernel's own map type for the purpose. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "maps.h"

struct bench_route4 {
	__u32 length;
	__u8 address[4];
};

struct bench_route6 {
	__u32 length;
	__u8 address[16];
};

#define BENCH_TRIE(map, route)                                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                               \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__uint(max_entries, 1u << 20);                                                     \
		__type(key, struct route);                                                         \
		__type(value, __u32);                                                              \
	} map SEC(".maps")

BENCH_TRIE(bench_trie4, bench_route4);
BENCH_TRIE(bench_trie6, bench_route6);

static __always_inline __u32 hw_fib_lookup(const struct hw_flow_key *flow,
					   const struct hw_router *router)
{
	const __u32 *group;

	if (flow->family == 4) {
		struct bench_route4 route = {.length = 32};

		__builtin_memcpy(route.address, flow->destination, sizeof(route.address));
		group = bpf_map_lookup_elem(&bench_trie4, &route);
	} else {
		struct bench_route6 route = {.length = 128};

		__builtin_memcpy(route.address, flow->destination, sizeof(route.address));
		group = bpf_map_lookup_elem(&bench_trie6, &route);
	}
	return group ? *group : HW_ROUTE_NONE;
}

#include "packet.h"
