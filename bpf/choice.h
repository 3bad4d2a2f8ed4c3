/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which of a group's paths a flow takes.
 *
 * A known flow stays on its nexthop while that is usable, also when the route moved to another
 * group that has the same nexthop. Any other flow goes where its bucket says; where that path is
 * not usable, to one of the group's usable paths by rendezvous hashing, so that the flows of a dead
 * path spread over all others and come back when it does. core/dataplane/place.cpp tells the same
 * story to `hopwise explain`.
 */
#ifndef HOPWISE_BPF_CHOICE_H
#define HOPWISE_BPF_CHOICE_H

#include <stdbool.h>

#include "hash.h"
#include "maps.h"

#define HW_AF_INET6 10

/* Storing a bucket's time at every packet would bounce its cache line between CPUs. */
#define HW_BUCKET_STAMP_MS 8

struct hw_choice {
	__u32 hash;			  /* the flow's: filled by the caller */
	const struct hw_nexthop *nexthop; /* NULL: no path is usable */
	__u32 nexthop_id;
	__u32 path;
	struct hw_flow *flow; /* the flow's entry, if it has one */
};

/* Fills `choice` and returns true when the path may carry a packet of this group and family.
 * bpf_redirect_neigh cannot send IPv6 to an IPv4 gateway. */
static __always_inline bool hw_take_path(struct hw_choice *choice, __u32 group, __u32 family,
					 __u32 id)
{
	const struct hw_path *path = bpf_map_lookup_elem(&hw_paths, &id);
	const struct hw_nexthop *nexthop;
	__u32 nexthop_id;

	if (!path || path->group != group || !(path->flags & HW_PATH_USABLE))
		return false;
	nexthop_id = path->nexthop;
	nexthop = bpf_map_lookup_elem(&hw_nexthops, &nexthop_id);
	if (!nexthop || !(nexthop->flags & HW_NEXTHOP_USABLE) ||
	    (family == 6 && nexthop->family != HW_AF_INET6))
		return false;
	choice->nexthop = nexthop;
	choice->nexthop_id = nexthop_id;
	choice->path = id;
	return true;
}

/* The flow's own path; else, after a change of group, the path that has the flow's nexthop. */
static __always_inline bool hw_stay(struct hw_choice *choice, __u32 group_id, __u32 family)
{
	const struct hw_group *group;
	__u32 nexthop = choice->flow->nexthop;

	if (hw_take_path(choice, group_id, family, choice->flow->path) &&
	    choice->nexthop_id == nexthop)
		return true;
	group = bpf_map_lookup_elem(&hw_groups, &group_id);
	for (__u32 i = 0; group && i < HW_MAX_GROUP_PATHS; i++) {
		if (i >= group->count)
			break;
		if (hw_take_path(choice, group_id, family, group->path[i]) &&
		    choice->nexthop_id == nexthop)
			return true;
	}
	return false;
}

static __always_inline bool hw_take_any(struct hw_choice *choice, __u32 group_id, __u32 family)
{
	const struct hw_group *group = bpf_map_lookup_elem(&hw_groups, &group_id);
	__u32 best = 0, best_rank = 0;

	for (__u32 i = 0; group && i < HW_MAX_GROUP_PATHS; i++) {
		__u32 path, rank;

		if (i >= group->count)
			break;
		path = group->path[i];
		rank = hw_rendezvous_rank(choice->hash, path);
		if (rank >= best_rank && hw_take_path(choice, group_id, family, path)) {
			best = path;
			best_rank = rank;
		}
	}
	return best && hw_take_path(choice, group_id, family, best);
}

static __always_inline void hw_choose(struct hw_choice *choice, __u32 group,
				      const struct hw_flow_key *key, __u64 now_ns)
{
	__u32 slot = group * HW_BUCKETS + (choice->hash & (HW_BUCKETS - 1));
	struct hw_bucket *bucket = bpf_map_lookup_elem(&hw_buckets, &slot);
	__u32 now_ms = now_ns / 1000000;

	choice->nexthop = NULL;
	choice->flow = bpf_map_lookup_elem(&hw_flows, key);
	if (!bucket)
		return;
	if (now_ms - bucket->last_used_ms >= HW_BUCKET_STAMP_MS)
		bucket->last_used_ms = now_ms;
	if (choice->flow && hw_stay(choice, group, key->family))
		return;
	if (hw_take_path(choice, group, key->family, bucket->path))
		return;
	if (!hw_take_any(choice, group, key->family))
		choice->nexthop = NULL;
}

/* Counts are not atomic: a flow's packets come from one receive queue nearly always, and a lost
 * count harms less than a locked add a packet. A full table harms nothing: the bucket decides. */
static __always_inline void hw_remember(const struct hw_choice *choice,
					const struct hw_flow_key *key, __u32 packets, __u32 bytes,
					__u64 now_ns)
{
	struct hw_flow *flow = choice->flow;
	struct hw_traffic *traffic;
	__u32 path = choice->path;

	if (flow) {
		if (flow->path != choice->path || flow->nexthop != choice->nexthop_id) {
			flow->path = choice->path;
			flow->nexthop = choice->nexthop_id;
		}
		flow->last_seen_ns = now_ns;
		flow->packets += packets;
		flow->bytes += bytes;
	} else {
		struct hw_flow fresh = {
		    .path = choice->path,
		    .nexthop = choice->nexthop_id,
		    .last_seen_ns = now_ns,
		    .packets = packets,
		    .bytes = bytes,
		};

		bpf_map_update_elem(&hw_flows, key, &fresh, BPF_ANY);
	}
	traffic = bpf_map_lookup_elem(&hw_traffic, &path);
	if (traffic) {
		traffic->forward_packets += packets;
		traffic->forward_bytes += bytes;
	}
}

#endif
