// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The two ends of the forwarding benchmark, and its lower bounds.
 *
 * generate  XDP, run by BPF_PROG_TEST_RUN with live frames: each is a packet of the next flow.
 * sink      XDP at the far ends: counts and drops.
 * drop      TC at the router's LAN ingress: where generator and LAN link end.
 * bare      the same place: what a program costs that only redirects, with no thought at all.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "flows.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_plan);
} bench_plan SEC(".maps");

/* Packets at each end: [0] dropped at the router's LAN ingress, [1] and [2] sunk. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} bench_seen SEC(".maps");

static __always_inline void seen(__u32 where)
{
	__u64 *packets = bpf_map_lookup_elem(&bench_seen, &where);

	if (packets)
		*packets += 1;
}

SEC("xdp")
int generate(struct xdp_md *xdp)
{
	void *data = (void *)(long)xdp->data, *data_end = (void *)(long)xdp->data_end;
	struct ethhdr *ethernet = data;
	struct bench_moment moment;
	struct bench_flow *flow;
	struct bench_plan *plan;
	__u32 only = 0, index;
	__u64 number;

	plan = bpf_map_lookup_elem(&bench_plan, &only);
	if (!plan || !plan->flows || (void *)(ethernet + 1) > data_end)
		return XDP_DROP;
	number = plan->next++;
	index = number % plan->flows;
	flow = bpf_map_lookup_elem(&bench_flows, &index);
	if (!flow)
		return XDP_DROP;
	moment.back = plan->back;
	moment.begins = plan->begins;
	moment.round = plan->back ? plan->answered : number / plan->flows;
	__builtin_memcpy(data, plan->link, sizeof(plan->link));
	ethernet->h_proto = flow->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return bench_write_ip(ethernet + 1, data_end, flow, &moment) ? XDP_TX : XDP_DROP;
}

SEC("xdp")
int sink0(struct xdp_md *xdp)
{
	seen(1);
	return XDP_DROP;
}

SEC("xdp")
int sink1(struct xdp_md *xdp)
{
	seen(2);
	return XDP_DROP;
}

SEC("tc")
int drop(struct __sk_buff *skb)
{
	seen(0);
	return TC_ACT_SHOT;
}

/* Constants of the loaded program. */
const volatile struct {
	__u32 ifindex;
	__u8 link[12];
} bare_nexthop = {};

SEC("tc")
int bare(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	__u8 link[12];

	if (data + sizeof(struct ethhdr) > data_end)
		return TC_ACT_SHOT;
	for (int i = 0; i < 12; i++)
		link[i] = bare_nexthop.link[i];
	__builtin_memcpy(data, link, sizeof(link));
	return bpf_redirect(bare_nexthop.ifindex, 0);
}

char licence[] SEC("license") = "Dual BSD/GPL";
