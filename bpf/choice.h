/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which of a group's paths a flow takes.
 *
 * With affinity `flow` a known flow stays on its nexthop while that is usable, also when the route
 * moved to another group that has the same nexthop; with `flowlet`, until it pauses. Any other
 * packet goes where its bucket says; where that path is not usable, to one of the group's usable
 * paths by rendezvous hashing, so that the flows of a dead path spread over all others and come
 * back when it does. core/dataplane/place.cpp tells the same story to `hopwise explain`.
 *
 * Marks: behind NAT a flow's source address belongs to the uplink that it began on, and affinity
 * `flow` is for life. A TCP connection without an entry began before us, or in a flood: whoever
 * bound it goes on, unmarked. A flow whose nexthop is not usable is sent there all the same for a
 * while (a flap of the link; elsewhere its address is worth nothing, and the kernel's masquerading
 * would unbind it for good), and then left to the kernel. It never moves: but a new SYN begins
 * anew, and what is no TCP does after the while.
 *
 * Escape: a flow that shows that its nexthop carries it nowhere takes another usable path, by
 * rendezvous without the nexthop that it leaves; at once the first time, then not before 1 s, 2 s
 * and 4 s, and never again after the fourth. Where the bucket decides, it would send the flow back
 * at once: so the entry remembers what the bucket named then, and its own choice holds for as long
 * as the bucket names the same.
 */
#ifndef HOPWISE_BPF_CHOICE_H
#define HOPWISE_BPF_CHOICE_H

#include <stdbool.h>

#include "elapsed.h"
#include "hash.h"
#include "maps.h"
#include "measure.h"
#include "settings.h"

#define HW_AF_INET6 10

/* Storing a bucket's time at every packet would bounce its cache line between CPUs. */
#define HW_BUCKET_STAMP_MS 8

#define HW_MAX_ESCAPES	   4
#define HW_ESCAPE_AGAIN_NS 1000000000ull

struct hw_choice {
	__u64 now_ns; /* coarse; from here to `flow`: filled by the caller */
	__u32 hash;
	__u32 group_id;
	__u32 family;
	const struct hw_group *group;
	struct hw_flow *flow; /* the flow's entry, if it has one */
	bool opens;	      /* the packet may be the first of a flow */
	bool tcp;
	__u32 path;	  /* index of hw_traffic */
	__u32 nexthop_id; /* 0: the kernel's own choice */
	const struct hw_nexthop *nexthop;
};

/* bpf_redirect_neigh cannot send IPv6 to an IPv4 gateway. */
static __always_inline const struct hw_nexthop *hw_usable_nexthop(__u32 id, __u32 family)
{
	const struct hw_nexthop *nexthop = bpf_map_lookup_elem(&hw_nexthops, &id);

	if (!nexthop || !(nexthop->flags & HW_NEXTHOP_USABLE) ||
	    (family == 6 && nexthop->family != HW_AF_INET6))
		return NULL;
	return nexthop;
}

/* Fills `choice` and returns true when the path may carry a packet of this group and family. */
static __always_inline bool hw_take_path(struct hw_choice *choice, __u32 id)
{
	const struct hw_path *path = bpf_map_lookup_elem(&hw_paths, &id);

	if (!path || path->group != choice->group_id || !(path->flags & HW_PATH_USABLE))
		return false;
	choice->path = id;
	choice->nexthop_id = path->nexthop;
	choice->nexthop = hw_usable_nexthop(choice->nexthop_id, choice->family);
	return choice->nexthop;
}

/*
 * Sub-programs of their own, verified once: the rare ways, with a loop over the group's paths.
 * Both return a path's id, 0 for none.
 */

/* The usable path of the highest rank, but none over the nexthop `without`. */
__weak __noinline __u32 hw_rendezvous(__u32 group_id, __u32 hash, __u32 family, __u32 without)
{
	const struct hw_group *group = bpf_map_lookup_elem(&hw_groups, &group_id);
	__u32 best = 0, best_rank = 0;

	for (__u32 i = 0; group && i < HW_MAX_GROUP_PATHS; i++) {
		const struct hw_path *path;
		__u32 id, rank;

		if (i >= group->count)
			break;
		id = group->path[i];
		path = bpf_map_lookup_elem(&hw_paths, &id);
		if (!path || path->group != group_id || !(path->flags & HW_PATH_USABLE) ||
		    path->nexthop == without || !hw_usable_nexthop(path->nexthop, family))
			continue;
		rank = hw_rendezvous_rank(hash, path->nexthop);
		if (rank < best_rank)
			continue;
		best = id;
		best_rank = rank;
	}
	return best;
}

/* The group's path over this nexthop. */
__weak __noinline __u32 hw_path_over(__u32 group_id, __u32 nexthop)
{
	const struct hw_group *group = bpf_map_lookup_elem(&hw_groups, &group_id);

	for (__u32 i = 0; group && i < HW_MAX_GROUP_PATHS; i++) {
		const struct hw_path *path;
		__u32 id;

		if (i >= group->count)
			break;
		id = group->path[i];
		path = bpf_map_lookup_elem(&hw_paths, &id);
		if (path && path->group == group_id && path->nexthop == nexthop)
			return id;
	}
	return 0;
}

/* The flow's own path; else, after a change of group, the path that has the flow's nexthop. */
static __always_inline bool hw_stay(struct hw_choice *choice)
{
	__u32 nexthop = choice->flow->nexthop;

	if (hw_take_path(choice, choice->flow->path) && choice->nexthop_id == nexthop)
		return true;
	return hw_take_path(choice, hw_path_over(choice->group_id, nexthop));
}

static __always_inline bool hw_sticks(const struct hw_choice *choice)
{
	const struct hw_group *group = choice->group;
	__s64 gap_ns;

	if (group->affinity != HW_AFFINITY_FLOWLET)
		return group->affinity == HW_AFFINITY_FLOW;
	/* A pause that only seems long, by the coarse clock's step, would reorder packets. */
	gap_ns = group->flowlet_gap_ms * 1000000ull + hw_settings.tick_ns;
	return hw_elapsed_ns(choice->now_ns, choice->flow->last_seen_ns) <= gap_ns;
}

static __always_inline struct hw_bucket *hw_bucket_of(const struct hw_choice *choice)
{
	__u32 slot = choice->group_id * HW_BUCKETS + (choice->hash & (HW_BUCKETS - 1));

	return bpf_map_lookup_elem(&hw_buckets, &slot);
}

/* The nexthop that a bucket's path has, usable or not; 0 for none. */
static __always_inline __u32 hw_bucket_nexthop(const struct hw_bucket *bucket)
{
	__u32 id = bucket->path;
	const struct hw_path *path = bpf_map_lookup_elem(&hw_paths, &id);

	return path ? path->nexthop : 0;
}

/* Whether a flow belongs to the nexthop that it began on, come what may. */
static __always_inline bool hw_binds(const struct hw_choice *choice)
{
	return hw_settings.actuator == HW_ACTUATOR_MARK &&
	       choice->group->affinity == HW_AFFINITY_FLOW;
}

/* A flow was last seen when it was last steered. */
static __always_inline bool hw_was_seen_lately(const struct hw_choice *choice)
{
	return hw_elapsed_ns(choice->now_ns, choice->flow->last_seen_ns) <= (__s64)HW_HOLD_NS;
}

/* The nexthop of a bound flow is not usable: it is chosen all the same, or none is. */
static __always_inline void hw_hold(struct hw_choice *choice)
{
	const struct hw_flow *flow = choice->flow;
	__u32 nexthop = flow->nexthop;

	choice->path = hw_path_over(choice->group_id, nexthop);
	choice->nexthop_id = nexthop;
	choice->nexthop = NULL;
	if (choice->path && hw_was_seen_lately(choice))
		choice->nexthop = bpf_map_lookup_elem(&hw_nexthops, &nexthop);
}

static __always_inline bool hw_begins_anew(const struct hw_choice *choice)
{
	return choice->opens && (choice->tcp || !hw_was_seen_lately(choice));
}

/* A flow is of the control group for life. In dry run all are, but those that marks bound before.
 */
static __always_inline bool hw_is_control(const struct hw_choice *choice)
{
	const struct hw_flow *flow = choice->flow;

	if (choice->group->flags & HW_GROUP_DRY_RUN)
		return !flow || (flow->flags & HW_FLOW_CONTROL) || !hw_binds(choice);
	if (flow && hw_settings.control_share)
		return flow->flags & HW_FLOW_CONTROL;
	return hw_in_share(choice->hash, HW_CONTROL_BITS, hw_settings.control_share);
}

/*
 * HW_REASON_STEERED with a nexthop, HW_REASON_HELD with or without one, or with none
 * HW_REASON_CONTROL, HW_REASON_UNKNOWN_FLOW or HW_REASON_NO_NEXTHOP.
 */
static __always_inline enum hw_reason hw_choose(struct hw_choice *choice)
{
	const struct hw_flow *flow = choice->flow;
	bool sticks = flow && hw_sticks(choice);
	__u32 now_ms = choice->now_ns / 1000000;
	struct hw_bucket *bucket;

	if (hw_is_control(choice)) {
		choice->path = HW_CONTROL_PATH(choice->group_id);
		choice->nexthop_id = 0;
		choice->nexthop = NULL;
		return HW_REASON_CONTROL;
	}
	if (!flow && !choice->opens && hw_binds(choice))
		return HW_REASON_UNKNOWN_FLOW;
	if (sticks && hw_stay(choice))
		return HW_REASON_STEERED;
	if (flow && hw_binds(choice) && !hw_begins_anew(choice)) {
		hw_hold(choice);
		return HW_REASON_HELD;
	}
	bucket = hw_bucket_of(choice);
	if (!bucket)
		return HW_REASON_NO_NEXTHOP;
	if (now_ms - bucket->last_used_ms >= HW_BUCKET_STAMP_MS)
		bucket->last_used_ms = now_ms;
	if (flow && !sticks && flow->shunned && flow->shunned == hw_bucket_nexthop(bucket) &&
	    hw_stay(choice))
		return HW_REASON_STEERED;
	if (hw_take_path(choice, bucket->path) ||
	    hw_take_path(choice, hw_rendezvous(choice->group_id, choice->hash, choice->family, 0)))
		return HW_REASON_STEERED;
	return HW_REASON_NO_NEXTHOP;
}

/* The entry follows the choice. */
static __always_inline void hw_settle(const struct hw_choice *choice)
{
	struct hw_flow *flow = choice->flow;

	if (flow->path != choice->path)
		flow->path = choice->path;
	if (flow->nexthop == choice->nexthop_id)
		return;
	flow->nexthop = choice->nexthop_id;
	if (choice->nexthop_id)
		flow->flags &= ~HW_FLOW_CONTROL;
	else
		flow->flags |= HW_FLOW_CONTROL;
	flow->moved_ns = choice->now_ns;
	hw_measure_moved(flow);
	hw_count(HW_COUNT_FLOW_MOVED);
}

static __always_inline void hw_tell_escape(const struct hw_choice *choice, __u32 from)
{
	struct hw_escape *escape = bpf_ringbuf_reserve(&hw_events, sizeof(*escape), 0);

	hw_count(HW_COUNT_ESCAPED);
	if (!escape) {
		hw_count(HW_COUNT_ESCAPE_UNTOLD);
		return;
	}
	*escape = (struct hw_escape){
	    .at_ns = choice->now_ns,
	    .group = choice->group_id,
	    .from = from,
	    .to = choice->nexthop_id,
	};
	bpf_ringbuf_submit(escape, 0);
}

/* The flow's nexthop carries it nowhere: changes the choice where another one may be had. */
static __always_inline void hw_escape(struct hw_choice *choice)
{
	const struct hw_nexthop *nexthop = choice->nexthop;
	__u32 left = choice->path, from = choice->nexthop_id;
	struct hw_flow *flow = choice->flow;
	const struct hw_bucket *bucket;
	struct hw_traffic *traffic;

	if (flow->escapes >= HW_MAX_ESCAPES)
		return;
	if (flow->escapes && hw_elapsed_ns(choice->now_ns, flow->moved_ns) <
				 (__s64)(HW_ESCAPE_AGAIN_NS << (flow->escapes - 1)))
		return;
	if (!hw_take_path(choice,
			  hw_rendezvous(choice->group_id, choice->hash, choice->family, from))) {
		choice->path = left;
		choice->nexthop_id = from;
		choice->nexthop = nexthop;
		return;
	}
	bucket = hw_bucket_of(choice);
	flow->shunned = bucket ? hw_bucket_nexthop(bucket) : 0;
	flow->escapes++;
	hw_settle(choice);
	traffic = bpf_map_lookup_elem(&hw_traffic, &left);
	if (traffic)
		traffic->escapes++;
	hw_tell_escape(choice, from);
}

#endif
