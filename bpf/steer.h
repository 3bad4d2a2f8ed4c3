/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The whole way of a packet: lease -> parse -> route -> class -> flow -> choice -> act.
 *
 * Never waits for the daemon. Whatever is in any doubt is left to the kernel untouched
 * (TC_ACT_UNSPEC: other programs and filters on the hook see it next), and every packet counts for
 * exactly one reason. Included after a header that defines hw_fib_lookup().
 */
#ifndef HOPWISE_BPF_STEER_H
#define HOPWISE_BPF_STEER_H

#include "act.h"
#include "choice.h"
#include "classify.h"
#include "flow.h"
#include "measure.h"
#include "parse.h"
#include "skb.h"

enum hw_origin {
	HW_FORWARDED, /* from a LAN: costs a hop */
	HW_LOCAL,     /* of this host itself, on its way out of an interface already */
};

/* NULL when weights are not to be trusted. */
static __always_inline const struct hw_router *hw_trusted_router(__u64 now_ns)
{
	__u32 only = 0;
	const struct hw_router *router = bpf_map_lookup_elem(&hw_router, &only);

	if (!router || !(now_ns < router->expires_ns || (hw_settings.hold && router->expires_ns)))
		return NULL;
	return router;
}

/* Whether the packet's flow has, or may get, an entry. */
static __always_inline bool hw_is_stateful(const struct hw_choice *choice)
{
	return choice->group->affinity != HW_AFFINITY_BUCKET ||
	       hw_in_share(choice->hash, HW_SAMPLE_BITS, hw_settings.sample_share);
}

static __always_inline struct hw_flow *hw_begin_flow(const struct hw_flow_key *key,
						     const struct hw_choice *choice)
{
	struct hw_flow fresh = {
	    .path = choice->path,
	    .nexthop = choice->nexthop_id,
	    .started_ns = choice->now_ns,
	    .last_seen_ns = choice->now_ns,
	    .flags = choice->nexthop_id ? 0 : HW_FLOW_CONTROL,
	};

	return hw_new_flow(key, &fresh);
}

/* A first packet: of TCP, a SYN that asks; of others, any may be. */
static __always_inline bool hw_may_open(const struct hw_packet *packet,
					const struct hw_frame *frame)
{
	struct hw_view view = {frame->data, frame->data_end, 1};
	const __u8 *tcp;

	if (packet->kind == HW_KIND_ERROR)
		return false;
	if (packet->key.protocol != IPPROTO_TCP)
		return true;
	if (!packet->transport)
		return false;
	tcp = hw_transport_of(packet, &view, HW_TCP_HEADER);
	return tcp && (tcp[13] & (HW_TCP_SYN | HW_TCP_ACK)) == HW_TCP_SYN;
}

/* Counts are not atomic: a flow's packets come from one receive queue nearly always, and a lost
 * count harms less than a locked add a packet. */
static __always_inline void hw_account(const struct hw_choice *choice, bool of_flow, __u32 packets,
				       __u32 bytes)
{
	struct hw_flow *flow = choice->flow;
	__u32 path = choice->path;
	struct hw_traffic *traffic;

	if (flow && of_flow) {
		flow->last_seen_ns = choice->now_ns;
		flow->packets += packets;
		flow->bytes += bytes;
	}
	traffic = bpf_map_lookup_elem(&hw_traffic, &path);
	if (traffic) {
		traffic->forward_packets += packets;
		traffic->forward_bytes += bytes;
	}
}

/* Where the gateway's address is not known here, the kernel is asked to send it there. */
static __always_inline bool hw_leaves_by(struct __sk_buff *skb, const struct hw_nexthop *nexthop,
					 bool direct)
{
	const struct ethhdr *ethernet = (void *)(long)skb->data;

	return direct && skb->ifindex == nexthop->ifindex &&
	       (void *)(ethernet + 1) <= (void *)(long)skb->data_end &&
	       hw_same(ethernet->h_dest, nexthop->link, sizeof(ethernet->h_dest));
}

static __always_inline enum hw_reason hw_act(struct __sk_buff *skb, enum hw_origin origin,
					     const struct hw_packet *packet,
					     const struct hw_choice *choice, bool neighbours,
					     int *verdict)
{
	const struct hw_nexthop *nexthop = choice->nexthop;
	bool direct = neighbours && (nexthop->flags & HW_NEXTHOP_DIRECT);

	if (hw_settings.actuator == HW_ACTUATOR_MARK) {
		if (!nexthop->mark)
			return HW_REASON_NO_NEXTHOP;
		skb->mark = nexthop->mark;
		return HW_REASON_STEERED;
	}
	if (origin == HW_LOCAL && hw_leaves_by(skb, nexthop, direct))
		return HW_REASON_IN_PLACE;
	if (!hw_fits(skb, nexthop, direct)) {
		/* The stack answers for this nexthop, not for one of its own choice: the probes'
		 * rule for the mark leads there, and where there is none the main table does. */
		if (origin == HW_FORWARDED && !skb->mark)
			skb->mark = nexthop->mark;
		return HW_REASON_MTU;
	}
	if (origin == HW_FORWARDED && !hw_count_hop(skb, packet->key.family))
		return HW_REASON_MALFORMED;
	if (origin == HW_LOCAL)
		skb->tc_index = HW_BEEN_HERE;
	*verdict = hw_redirect(skb, nexthop, direct);
	return HW_REASON_STEERED;
}

static __always_inline enum hw_reason hw_steer_packet(struct __sk_buff *skb, enum hw_origin origin,
						      int *verdict)
{
	struct hw_choice choice = {.now_ns = bpf_ktime_get_coarse_ns()};
	const struct hw_router *router;
	struct hw_packet packet;
	enum hw_reason reason;
	struct hw_frame frame;
	struct hw_view view;
	bool stateful, of_flow;

	if (origin == HW_FORWARDED && skb->pkt_type != HW_PACKET_HOST)
		return HW_REASON_NOT_FOR_US;
	if (skb->vlan_present)
		return HW_REASON_VLAN;
	if (hw_settings.actuator == HW_ACTUATOR_MARK && skb->mark)
		return HW_REASON_MARKED;
	router = hw_trusted_router(choice.now_ns);
	if (!router)
		return HW_REASON_LEASE_OVER;

	hw_pull_headers(skb);
	hw_frame_of(skb, &frame);
	reason = hw_parse(&frame, &packet);
	if (reason != HW_REASON_STEERED)
		return reason;

	choice.group_id = hw_fib_lookup(&packet.key, router);
	if (choice.group_id == HW_ROUTE_NONE)
		return HW_REASON_NO_ROUTE;
	if (choice.group_id == HW_ROUTE_KERNEL)
		return HW_REASON_KERNEL_ROUTE;
	if (origin == HW_FORWARDED && packet.hops <= 1 &&
	    hw_settings.actuator == HW_ACTUATOR_REDIRECT)
		return HW_REASON_TTL;

	choice.hash = hw_flow_hash(&packet.key, router->hash_seed);
	choice.family = packet.key.family;
	if (hw_settings.actuator == HW_ACTUATOR_MARK) {
		choice.tcp = packet.key.protocol == IPPROTO_TCP;
		choice.opens = hw_may_open(&packet, &frame);
	}
	choice.group = bpf_map_lookup_elem(&hw_groups, &choice.group_id);
	if (!choice.group || !choice.group->count)
		return HW_REASON_NO_NEXTHOP;
	hw_classify(&choice, &packet, router);
	stateful = hw_is_stateful(&choice);
	of_flow = packet.kind != HW_KIND_ERROR && stateful;
	if (stateful)
		choice.flow = hw_find_flow(&packet.key);
	reason = hw_choose(&choice);
	if (reason == HW_REASON_HELD && choice.nexthop)
		skb->mark = choice.nexthop->mark;
	if (reason != HW_REASON_STEERED && reason != HW_REASON_CONTROL)
		return reason;

	view = (struct hw_view){frame.data, frame.data_end, hw_wire_packets(skb)};
	if (of_flow) {
		if (choice.flow)
			hw_settle(&choice);
		else
			choice.flow = hw_begin_flow(&packet.key, &choice);
		/* Its next packet would be of a connection that is not known. */
		if (!choice.flow && choice.nexthop && choice.tcp && hw_binds(&choice))
			return HW_REASON_UNKNOWN_FLOW;
		if (choice.flow && hw_measure_forward(choice.flow, &packet, &view, choice.now_ns) &&
		    hw_settings.escape && choice.nexthop)
			hw_escape(&choice);
	}
	if (choice.nexthop)
		reason = hw_act(skb, origin, &packet, &choice,
				choice.now_ns < router->neighbours_ns, verdict);
	if (reason == HW_REASON_STEERED || reason == HW_REASON_CONTROL ||
	    reason == HW_REASON_IN_PLACE)
		hw_account(&choice, of_flow, view.packets, packet.bytes);
	return reason;
}

/* Counts the reason. What is not redirected has its bytes unchanged, and a mark at most. */
static __always_inline int hw_steer_counted(struct __sk_buff *skb, enum hw_origin origin)
{
	int verdict = TC_ACT_UNSPEC;
	__u32 reason = hw_steer_packet(skb, origin, &verdict);
	__u64 *packets = bpf_map_lookup_elem(&hw_reasons, &reason);

	if (packets)
		*packets += 1;
	return verdict;
}

#endif
