/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Destination -> group, by longest match. How routes are stored is known only here and in
 * core/dataplane/routes.cpp.
 */
#ifndef HOPWISE_BPF_FIB_H
#define HOPWISE_BPF_FIB_H

#include "maps.h"

/* The group's id, HW_ROUTE_KERNEL or HW_ROUTE_NONE. */
static __always_inline __u32 hw_fib_lookup(const struct hw_flow_key *flow,
					   const struct hw_router *router)
{
	const __u32 *group;

	if (flow->family == 4) {
		struct hw_route4 route = {.prefixlen = 32};

		__builtin_memcpy(route.address, flow->destination, sizeof(route.address));
		group = bpf_map_lookup_elem(&hw_routes4, &route);
	} else {
		struct hw_route6 route = {.prefixlen = 128};

		__builtin_memcpy(route.address, flow->destination, sizeof(route.address));
		group = bpf_map_lookup_elem(&hw_routes6, &route);
	}
	return !group ? HW_ROUTE_NONE : *group ? *group : HW_ROUTE_KERNEL;
}

#endif
