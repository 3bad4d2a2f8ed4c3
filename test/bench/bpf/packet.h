/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A loop around the steering program, to time one packet without the system call around it.
 *
 * Each turn writes the frame of the next flow anew and steers it; that program's own code is
 * included as it is. A loop that only writes the frames is the base to subtract. Include after a
 * header that defines hw_fib_lookup().
 */
#include "frame.h"
#include "steer.h"

enum bench_mode {
	BENCH_WRITE,  /* the base of the two others */
	BENCH_STEER,  /* the whole program */
	BENCH_LOOKUP, /* the route look-up alone */
};

struct bench_run {
	__u32 mode;
	__u32 first; /* flow to begin with */
	__u32 count; /* packets, each of the next flow */
	__u32 flows;
	__u32 round; /* packets of each flow before */
	__u32 back;  /* bench_frame only: the answer's frame */
	__u32 taken; /* out: packets that were redirected, or routes found */
	__u32 sum;
	__u64 ns; /* out */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BENCH_MAX_FLOWS);
	__type(key, __u32);
	__type(value, struct bench_flow);
} bench_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_run);
} bench_run SEC(".maps");

struct bench_turn {
	struct __sk_buff *skb;
	struct bench_run *run;
	__u32 index;
	__u32 round;
	__u32 taken;
};

static __always_inline bool bench_write(struct __sk_buff *skb, const struct bench_flow *flow,
					const struct bench_moment *moment)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (data + sizeof(struct ethhdr) > data_end)
		return false;
	((struct ethhdr *)data)->h_proto =
	    flow->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return bench_write_ip(data + sizeof(struct ethhdr), data_end, flow, moment);
}

static __always_inline bool bench_look_up(struct __sk_buff *skb, const struct bench_flow *flow)
{
	struct hw_flow_key key = {.family = flow->family};
	const struct hw_router *router;
	__u32 only = 0;

	router = bpf_map_lookup_elem(&hw_router, &only);
	if (!router)
		return false;
	__builtin_memcpy(key.source, flow->source, sizeof(key.source));
	__builtin_memcpy(key.destination, flow->destination, sizeof(key.destination));
	return hw_fib_lookup(router, &key) != HW_ROUTE_NONE;
}

static long bench_step(__u32 number, void *context)
{
	struct bench_turn *turn = context;
	struct __sk_buff *skb = turn->skb;
	struct bench_moment moment = {.round = turn->round};
	__u32 index = turn->index;
	struct bench_flow *flow;

	flow = bpf_map_lookup_elem(&bench_flows, &index);
	if (!flow || !bench_write(skb, flow, &moment))
		return 1;
	if (turn->run->mode == BENCH_STEER)
		turn->taken += hw_steer_counted(skb, HW_FORWARDED) == TC_ACT_REDIRECT;
	else if (turn->run->mode == BENCH_LOOKUP)
		turn->taken += bench_look_up(skb, flow);
	if (++turn->index >= turn->run->flows) {
		turn->index = 0;
		turn->round++;
	}
	return 0;
}

static long bench_touch(__u32 number, void *context)
{
	struct bench_turn *turn = context;
	__u32 index = turn->index + number;
	struct bench_flow *flow;

	if (index >= turn->run->flows)
		index -= turn->run->flows;
	flow = bpf_map_lookup_elem(&bench_flows, &index);
	if (flow)
		turn->run->sum += flow->source_port;
	return 0;
}

/* What the packets are made of is in the caches when the clock starts, when they are few. */
SEC("tc")
int bench_loop(struct __sk_buff *skb)
{
	struct bench_turn turn = {.skb = skb};
	__u64 begin;
	__u32 only = 0;

	turn.run = bpf_map_lookup_elem(&bench_run, &only);
	if (!turn.run)
		return TC_ACT_SHOT;
	turn.index = turn.run->first;
	turn.round = turn.run->round;
	if (turn.run->count <= 256)
		bpf_loop(turn.run->count, bench_touch, &turn, 0);
	begin = bpf_ktime_get_ns();
	bpf_loop(turn.run->count, bench_step, &turn, 0);
	turn.run->ns = bpf_ktime_get_ns() - begin;
	turn.run->taken = turn.taken;
	return TC_ACT_OK;
}

/* Gives back the frame of one flow. */
SEC("tc")
int bench_frame(struct __sk_buff *skb)
{
	struct bench_moment moment;
	struct bench_flow *flow;
	struct bench_run *run;
	__u32 only = 0, index;

	run = bpf_map_lookup_elem(&bench_run, &only);
	if (!run)
		return TC_ACT_SHOT;
	index = run->first;
	flow = bpf_map_lookup_elem(&bench_flows, &index);
	if (!flow)
		return TC_ACT_SHOT;
	moment.round = run->round;
	moment.back = run->back;
	return bench_write(skb, flow, &moment) ? TC_ACT_OK : TC_ACT_SHOT;
}

char hw_licence[] SEC("license") = "Dual BSD/GPL";
