/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the TC programs need of an skb, and an XDP program would do otherwise. */
#ifndef HOPWISE_BPF_SKB_H
#define HOPWISE_BPF_SKB_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "been_here.h"
#include "parse.h"
#include "settings.h"

/*
 * Ethernet, IPv6, a few extension headers or the packet that an ICMP error reports on, and the
 * transport header.
 */
#define HW_HEADERS 128

#define HW_PACKET_HOST 0 /* linux/if_packet.h: addressed to this host's MAC */

/* Drivers that split headers off leave all of TCP's in the linear part, and nothing more. */
static __always_inline bool hw_holds_tcp(const void *data, const void *data_end)
{
	const struct ethhdr *ethernet = data;
	const struct ipv6hdr *ip6 = data + sizeof(*ethernet);
	const struct iphdr *ip4 = data + sizeof(*ethernet);
	const __u8 *tcp;

	if ((const void *)(ip6 + 1) > data_end)
		return false;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP) && ip4->protocol == IPPROTO_TCP)
		tcp = (const void *)(ip4 + 1);
	else if (ethernet->h_proto == bpf_htons(ETH_P_IPV6) && ip6->nexthdr == IPPROTO_TCP)
		tcp = (const void *)(ip6 + 1);
	else
		return false;
	return tcp + 20 <= (const __u8 *)data_end &&
	       tcp + (tcp[12] >> 4) * 4 <= (const __u8 *)data_end;
}

/*
 * The linear part may hold the Ethernet header only (packet sockets, GRO's fragments): brings the
 * headers in. Afterwards data and data_end must be read again.
 */
static __always_inline void hw_pull_headers(struct __sk_buff *skb)
{
	const void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	__u32 linear = skb->data_end - skb->data;

	if (linear < HW_HEADERS && linear < skb->len && !hw_holds_tcp(data, data_end))
		bpf_skb_pull_data(skb, skb->len < HW_HEADERS ? skb->len : HW_HEADERS);
}

static __always_inline void hw_frame_of(const struct __sk_buff *skb, struct hw_frame *frame)
{
	frame->data = (const void *)(long)skb->data;
	frame->data_end = (const void *)(long)skb->data_end;
	frame->length = skb->len;
	frame->segment = skb->gso_size;
	frame->protocol = skb->protocol;
	frame->reassembled = hw_settings.actuator == HW_ACTUATOR_MARK;
}

/* Packets on the wire: GRO may have merged several into this one. A guest's aggregate comes without
 * their number. */
static __always_inline __u32 hw_wire_packets(const struct __sk_buff *skb)
{
	if (skb->gso_segs)
		return skb->gso_segs;
	return skb->gso_size ? (skb->len + skb->gso_size - 1) / skb->gso_size : 1;
}

#endif
