/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A loop around the steering program, to time one packet without the system call around it.
 *
 * Each turn writes the frame of the next flow anew and steers it; that program's own code is
 * included as it is. A loop that only writes the frames is the base to subtract. Include after a
 * header that defines hw_fib_lookup().
 */
#include "flows.h"
#include "steer.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_run);
} bench_run SEC(".maps");

/* Kernel 6.4 and later. bpf_loop() would need more stack than the steering program leaves. */
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *numbers, int first, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *numbers) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *numbers) __weak __ksym;

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
	return hw_fib_lookup(&key, router) != HW_ROUTE_NONE;
}

/* Writes the frame of flow run->next, and does with it what the mode says. Global, so that the
 * verifier looks at it once and not in every turn of the loop. */
__noinline int bench_step(struct __sk_buff *skb)
{
	struct bench_moment moment = {};
	struct bench_flow *flow;
	struct bench_run *run;
	__u32 index = 0;

	run = bpf_map_lookup_elem(&bench_run, &index);
	if (!run)
		return 0;
	moment.round = run->round;
	index = run->next;
	flow = bpf_map_lookup_elem(&bench_flows, &index);
	if (!flow || !bench_write(skb, flow, &moment))
		return 0;
	if (++run->next >= run->flows) {
		run->next = 0;
		run->round++;
	}
	if (run->mode == BENCH_STEER)
		run->taken += hw_steer_counted(skb, HW_FORWARDED) == TC_ACT_REDIRECT;
	else if (run->mode == BENCH_LOOKUP)
		run->taken += bench_look_up(skb, flow);
	return 0;
}

static __always_inline void bench_touch(struct bench_run *run, __u32 number)
{
	__u32 index = run->next + number;
	struct bench_flow *flow;

	if (index >= run->flows)
		index -= run->flows;
	flow = bpf_map_lookup_elem(&bench_flows, &index);
	if (flow)
		run->sum += flow->source_port;
}

/* With run->touch, what the packets are made of is in the caches when the clock starts. */
SEC("tc")
int bench_loop(struct __sk_buff *skb)
{
	struct bpf_iter_num numbers;
	struct bench_run *run;
	__u32 only = 0;
	int *number;

	run = bpf_map_lookup_elem(&bench_run, &only);
	if (!run)
		return TC_ACT_SHOT;
	bpf_iter_num_new(&numbers, 0, run->touch);
	while ((number = bpf_iter_num_next(&numbers)))
		bench_touch(run, *number);
	bpf_iter_num_destroy(&numbers);

	run->ns = bpf_ktime_get_ns();
	bpf_iter_num_new(&numbers, 0, run->count);
	while (bpf_iter_num_next(&numbers))
		bench_step(skb);
	bpf_iter_num_destroy(&numbers);
	run->ns = bpf_ktime_get_ns() - run->ns;
	return TC_ACT_OK;
}

/* Gives back the frame of one flow. */
SEC("tc")
int bench_frame(struct __sk_buff *skb)
{
	struct bench_moment moment = {};
	struct bench_flow *flow;
	struct bench_run *run;
	__u32 only = 0, index;

	run = bpf_map_lookup_elem(&bench_run, &only);
	if (!run)
		return TC_ACT_SHOT;
	index = run->next;
	flow = bpf_map_lookup_elem(&bench_flows, &index);
	if (!flow)
		return TC_ACT_SHOT;
	moment.round = run->round;
	moment.back = run->back;
	return bench_write(skb, flow, &moment) ? TC_ACT_OK : TC_ACT_SHOT;
}

char hw_licence[] SEC("license") = "Dual BSD/GPL";
