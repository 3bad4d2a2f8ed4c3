// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Egress of the staging device: a probe leaves by the interface and gateway that its mark stands
 * for, and no other. What has no such mark ends here: nothing ever gets past this device.
 *
 * The mark is taken off, for it has done its work, and hw_local is told to leave the packet alone.
 * A neighbour that is not resolved yet costs the probe: the kernel then sends it to an Ethernet
 * address that nobody has, on the right interface. bpf_redirect_neigh does not check the MTU.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "been_here.h"

#define AF_INET	 2
#define AF_INET6 10

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* readers keep an entry that is replaced */
	__uint(max_entries, HW_MAX_NEXTHOPS);
	__type(key, __u32);
	__type(value, struct hw_staged);
} hw_staged SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HW_STAGE_COUNT_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} hw_stage_counts SEC(".maps");

static __always_inline int hw_counted(__u32 what, int verdict)
{
	__u64 *count = bpf_map_lookup_elem(&hw_stage_counts, &what);

	if (count)
		*count += 1;
	return verdict;
}

/* The neighbour to send to; false where the packet cannot go by it. An IPv4 packet goes by gateways
 * of both families (RFC 8950). */
static __always_inline bool hw_neighbour(const struct __sk_buff *skb, const struct hw_staged *to,
					 struct bpf_redir_neigh *neighbour)
{
	const void *data = (const void *)(long)skb->data + sizeof(struct ethhdr);
	const void *data_end = (const void *)(long)skb->data_end;
	const struct iphdr *ip4 = data;
	const struct ipv6hdr *ip6 = data;
	bool v4 = skb->protocol == bpf_htons(ETH_P_IP);

	if (!v4 && skb->protocol != bpf_htons(ETH_P_IPV6))
		return false;
	neighbour->nh_family = to->family;
	__builtin_memcpy(neighbour->ipv6_nh, to->gateway, sizeof(neighbour->ipv6_nh));
	if (to->family)
		return v4 || to->family == AF_INET6;
	neighbour->nh_family = v4 ? AF_INET : AF_INET6;
	if (v4 && (const void *)(ip4 + 1) <= data_end)
		neighbour->ipv4_nh = ip4->daddr;
	else if (!v4 && (const void *)(ip6 + 1) <= data_end)
		__builtin_memcpy(neighbour->ipv6_nh, &ip6->daddr, sizeof(neighbour->ipv6_nh));
	else
		return false;
	return true;
}

SEC("tc")
int hw_stage(struct __sk_buff *skb)
{
	__u32 mark = skb->mark, mtu = 0;
	struct hw_staged *to;
	struct bpf_redir_neigh neighbour = {};
	int over;

	if (!mark) /* no probe: the kernel's own chatter */
		return TC_ACT_SHOT;
	to = bpf_map_lookup_elem(&hw_staged, &mark);
	if (!to || !hw_neighbour(skb, to, &neighbour))
		return hw_counted(HW_STAGE_UNKNOWN, TC_ACT_SHOT);
	over = bpf_check_mtu(skb, to->ifindex, &mtu, 0, 0);
	if (over) /* negative: the interface is gone */
		return hw_counted(over < 0 ? HW_STAGE_UNKNOWN : HW_STAGE_TOO_BIG, TC_ACT_SHOT);
	skb->mark = 0;
	skb->tc_index = HW_BEEN_HERE;
	return hw_counted(HW_STAGE_SENT,
			  bpf_redirect_neigh(to->ifindex, &neighbour, sizeof(neighbour), 0));
}

char hw_licence[] SEC("license") = "Dual BSD/GPL";
