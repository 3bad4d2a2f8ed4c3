/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Sends a packet to its nexthop: redirected past the stack, or marked for the stack to route.
 *
 * A redirect does what the stack would have done: the hop count, the MTU, the Ethernet addresses.
 * MTU and addresses are known here where the daemon keeps them up to date (`direct`), else the
 * kernel is asked.
 */
#ifndef HOPWISE_BPF_ACT_H
#define HOPWISE_BPF_ACT_H

#include <linux/pkt_cls.h>

#include "choice.h"
#include "parse.h"

/*
 * Neither bpf_redirect_neigh nor the transmit path checks the MTU. Here as in the kernel the whole
 * frame counts, with any padding behind the packet. An aggregate is larger, nearly always: it is
 * judged by the segments that it will be cut into, which the kernel knows.
 */
static __always_inline bool hw_fits(struct __sk_buff *skb, const struct hw_nexthop *nexthop,
				    bool direct)
{
	__u32 mtu = 0;

	if (direct && skb->len <= nexthop->mtu + sizeof(struct ethhdr))
		return true;
	return bpf_check_mtu(skb, nexthop->ifindex, &mtu, 0, BPF_MTU_CHK_SEGS) == 0;
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

static __always_inline int hw_redirect_resolved(const struct hw_nexthop *nexthop)
{
	struct bpf_redir_neigh gateway = {.nh_family = nexthop->family};

	__builtin_memcpy(gateway.ipv6_nh, nexthop->gateway, sizeof(gateway.ipv6_nh));
	hw_count(HW_COUNT_SENT_RESOLVED);
	return bpf_redirect_neigh(nexthop->ifindex, &gateway, sizeof(gateway), 0);
}

static __always_inline int hw_redirect(struct __sk_buff *skb, const struct hw_nexthop *nexthop,
				       bool direct)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (!direct || data + sizeof(struct ethhdr) > data_end)
		return hw_redirect_resolved(nexthop);
	__builtin_memcpy(data, nexthop->link, sizeof(nexthop->link));
	hw_count(HW_COUNT_SENT_DIRECT);
	return bpf_redirect(nexthop->ifindex, 0);
}

#endif
