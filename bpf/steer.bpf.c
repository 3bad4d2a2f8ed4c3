// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * LAN ingress: lease -> parse -> route -> flow -> bucket -> nexthop -> redirect.
 *
 * Never waits for the daemon. Whatever is in any doubt is left to the kernel untouched
 * (TC_ACT_UNSPEC: other programs and filters on the hook see it next), and every packet counts for
 * exactly one reason.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "choice.h"
#include "fib.h"
#include "parse.h"
#include "skb.h"

/* NULL when it is over. */
static __always_inline const struct hw_router *hw_valid_lease(__u64 now_ns)
{
	__u32 only = 0;
	const struct hw_router *lease = bpf_map_lookup_elem(&hw_router, &only);

	return lease && now_ns < lease->expires_ns ? lease : NULL;
}

/* Neither bpf_redirect_neigh nor the transmit path checks the MTU. An aggregate is judged by the
 * segments that it will be cut into. */
static __always_inline bool hw_fits(struct __sk_buff *skb, __u32 ifindex)
{
	__u32 mtu = 0;

	return bpf_check_mtu(skb, ifindex, &mtu, 0, BPF_MTU_CHK_SEGS) == 0;
}

/* The helpers leave TTL and hop limit alone. RFC 1624, equation 3, for the checksum. */
static __always_inline bool hw_count_hop(struct __sk_buff *skb, __u32 family)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (family == 4) {
		struct iphdr *ip = data + sizeof(struct ethhdr);
		__u32 sum;

		if ((void *)(ip + 1) > data_end)
			return false;
		sum = (__u16)~ip->check + (__u16)~bpf_htons(0x0100);
		sum = (sum & 0xffff) + (sum >> 16);
		ip->check = ~sum;
		ip->ttl--;
	} else {
		struct ipv6hdr *ip = data + sizeof(struct ethhdr);

		if ((void *)(ip + 1) > data_end)
			return false;
		ip->hop_limit--;
		/* A whole-packet sum from the NIC covers the hop limit; IPv4 headers sum to 0. */
		bpf_csum_update(skb, (__u16)~bpf_htons(0x0001));
	}
	return true;
}

/* Decides; fills `gateway` and `ifindex` when the answer is HW_REASON_STEERED. */
static __always_inline enum hw_reason
hw_steer_packet(struct __sk_buff *skb, struct bpf_redir_neigh *gateway, __u32 *ifindex)
{
	__u64 now_ns = bpf_ktime_get_ns();
	const struct hw_router *lease;
	struct hw_packet packet;
	struct hw_choice choice;
	enum hw_reason reason;
	__u32 group;

	if (skb->pkt_type != HW_PACKET_HOST)
		return HW_REASON_NOT_FOR_US;
	if (skb->vlan_present)
		return HW_REASON_VLAN;
	lease = hw_valid_lease(now_ns);
	if (!lease)
		return HW_REASON_LEASE_OVER;

	hw_pull_headers(skb);
	reason = hw_parse((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, &packet);
	if (reason != HW_REASON_STEERED)
		return reason;

	group = hw_fib_lookup(&packet.key, lease);
	if (group == HW_ROUTE_NONE)
		return HW_REASON_NO_ROUTE;
	if (group == HW_ROUTE_KERNEL)
		return HW_REASON_KERNEL_ROUTE;
	if (packet.hops <= 1)
		return HW_REASON_TTL;

	choice.hash = hw_flow_hash(&packet.key, lease->hash_seed);
	hw_choose(&choice, group, &packet.key, now_ns);
	if (!choice.nexthop)
		return HW_REASON_NO_NEXTHOP;
	*ifindex = choice.nexthop->ifindex;
	if (!hw_fits(skb, *ifindex))
		return HW_REASON_MTU;
	if (!hw_count_hop(skb, packet.key.family))
		return HW_REASON_MALFORMED;
	hw_remember(&choice, &packet.key, hw_wire_packets(skb), packet.bytes, now_ns);

	gateway->nh_family = choice.nexthop->family;
	__builtin_memcpy(gateway->ipv6_nh, choice.nexthop->gateway, sizeof(gateway->ipv6_nh));
	return HW_REASON_STEERED;
}

SEC("tc")
int hw_steer(struct __sk_buff *skb)
{
	struct bpf_redir_neigh gateway = {};
	__u32 ifindex = 0;
	__u32 reason = hw_steer_packet(skb, &gateway, &ifindex);
	__u64 *packets = bpf_map_lookup_elem(&hw_reasons, &reason);

	if (packets)
		*packets += 1;
	if (reason != HW_REASON_STEERED)
		return TC_ACT_UNSPEC;
	return bpf_redirect_neigh(ifindex, &gateway, sizeof(gateway), 0);
}

char hw_licence[] SEC("license") = "Dual BSD/GPL";
